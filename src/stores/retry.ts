import { setTimeout as sleep } from 'node:timers/promises'
import { isRetryable } from '../errors.js'

/** First pause and longest pause between two tries, in ms. */
const [firstPause, longestPause] = [100, 10_000]

/** Placeholder signature. */
export async function retry<T>(action: () => Promise<T>, { timeoutMs }: { timeoutMs: number }): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
    try {
      return await action()
    } catch (error) {
      if (!isRetryable(error) || Date.now() > deadline) throw error
      await sleep(Math.random() * pause)
    }
  }
}
