import { setTimeout as sleep } from 'node:timers/promises'

export type Json = Record<string, unknown>

class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** A client of the backup API, as an operator's script would be one. */
export class Client {
  readonly #base: string
  readonly #token: string

  constructor(url: string, token: string) {
    this.#base = `${url}/api/v1/backup`
    this.#token = token
  }

  /** @throws what the service said, for any answer but 2xx */
  async call(method: string, path: string, body?: Json): Promise<Json> {
    const answer = await fetch(this.#base + path, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Refused(answer.status, `${method} ${path} answered ${answer.status}: ${text}`)
    return JSON.parse(text) as Json
  }

  /** Starts an operation; waits for whatever else holds the slot just now. */
  async start(path: '' | '/restore', body: Json): Promise<Json> {
    for (;;) {
      try {
        return await this.call('POST', path, body)
      } catch (error) {
        if (!(error instanceof Refused) || error.status !== 409) throw error
        await sleep(1)
      }
    }
  }

  /** Resolves when an operation could start: a backup of what does not exist is refused for that then, and for nothing else. */
  async waitForSlot(): Promise<void> {
    for (;;) {
      try {
        await this.call('POST', '', { databases: ['no-such-database'] })
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        if (error.status === 400) return
        if (error.status !== 409) throw error
      }
      await sleep(100)
    }
  }

  /** Polls until nothing runs, showing each status to `onStatus`. @throws when the operation did not complete */
  async waitForEnd(period: number, onStatus: (status: Json) => void = () => {}): Promise<Json> {
    for (;;) {
      const status = await this.call('GET', '/status')
      if (status.status === 'completed') return status
      // Arc itself takes a moment to begin.
      if (status.status !== 'running' && status.status !== 'idle')
        throw new Error(`the operation failed: ${JSON.stringify(status)}`)
      onStatus(status)
      await sleep(period)
    }
  }
}
