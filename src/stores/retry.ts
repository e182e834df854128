import { setTimeout as sleep } from 'node:timers/promises'
import { type ErrorDetail, isServiceError, ServiceError } from '../errors.js'
import { stopSignal } from './stopping.js'

/** The first pause is at most this long, each further one at most twice the one before (ms). */
const firstPause = 200
/** No two tries are further apart than this, unless the store asks for more (ms). */
const longestPause = 10_000
/** How often a pause looks up whether it is still wanted (ms). */
const glance = 200

export interface RetryOptions {
  /** Ms after the first failure since the last progress after which the last failure is final. */
  readonly timeoutMs: number
  /** Does the time count from the start, and all of it? For what goes stale meanwhile. */
  readonly fromStart?: true
  /**
   * What has moved so far, in any unit. The time starts again only when this passes the most it has been: what is sent again from its start is no
   * progress, or a transfer that breaks at the same byte each time would never end.
   */
  readonly progressed?: () => number
  /** Called before each pause; what it throws is final. */
  readonly onRetry?: (failure: ServiceError, pauseMs: number) => void
  /** Called now and then during a pause; what it throws is final. For a cancel. */
  readonly check?: () => void
}

const observers = new Set<(failure: ServiceError) => void>()

/** Tells of each failure in this thread that is tried again, until the answer is called. */
export function observeRetries(observe: (failure: ServiceError) => void): () => void {
  observers.add(observe)
  return () => void observers.delete(observe)
}

/**
 * Does something until it succeeds, fails with a code that time can't heal (src/errors.ts), or has failed without progress for `timeoutMs`. The only such layer: the SDKs' own are off.
 * The pauses grow exponentially with full jitter, so that threads that were refused together don't come back together; `detail.retryAfterMs` of a failure is obeyed.
 * A failure that was waited out is final for everybody: who calls this from inside of another such call does not wait twice.
 * @throws what `action` threw last; see `isWaitedOut`
 */
export async function retry<T>(action: () => Promise<T>, options: RetryOptions): Promise<T> {
  let most = options.progressed?.() ?? 0
  const { timeoutMs, fromStart } = options
  let spent: number | undefined
  for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
    const began = Date.now()
    try {
      return await action()
    } catch (error) {
      if (!isServiceError(error) || !error.retry || isWaitedOut(error)) throw error
      const tried = Date.now() - began
      const now = options.progressed?.() ?? 0
      if (now > most) {
        most = now
        spent = undefined
        pause = firstPause
      }
      if (fromStart) spent = (spent ?? 0) + tried
      // A store breaks off a try that stands still, so a longer one has moved bytes; but one that fails late each time has to end too.
      else spent = spent === undefined ? 0 : spent + Math.min(tried, timeoutMs / 2)
      const left = timeoutMs - spent
      const asked = typeof error.detail.retryAfterMs === 'number' ? error.detail.retryAfterMs : 0
      if (left <= 0 || asked > left) throw waitedOut(error, timeoutMs)
      const pauseMs = Math.min(Math.max(asked, Math.random() * pause), left)
      for (const observe of observers) observe(error)
      options.onRetry?.(error, pauseMs)
      const paused = Date.now()
      await wait(pauseMs, options.check)
      spent += Date.now() - paused
    }
  }
}

/** Was this failure tried again for as long as its store is to be tried? Then the store is not there for anything else either. */
export function isWaitedOut({ detail = {} }: { readonly detail?: ErrorDetail }): boolean {
  return detail.waitedMs !== undefined
}

function waitedOut({ code, message, detail, cause }: ServiceError, waitedMs: number): ServiceError {
  return new ServiceError(code, message, { ...detail, cause, waitedMs })
}

async function wait(ms: number, check: (() => void) | undefined): Promise<void> {
  const end = Date.now() + ms
  for (let left = ms; left > 0; left = end - Date.now()) {
    await sleep(Math.min(left, glance))
    check?.()
    stopSignal()?.throwIfAborted()
  }
}
