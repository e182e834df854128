import { takeEvents } from './event-stream.js'
import type { Failure, Status } from './schemas.js'

/** What the service refused with, or that it could not be reached (status 0). */
export class ApiError extends Error {
  readonly status: number
  readonly body: Failure

  constructor(status: number, body: Failure) {
    super([body.error ?? `HTTP ${status}`, body.detail].filter(Boolean).join(': '))
    this.status = status
    this.body = body
  }
}

/** Ms before a broken stream is tried again. */
const retryAfter = 1000
/** Ms without a byte after which a stream is taken for dead: a comment comes every 15 s. */
const silence = 40_000

/** Calls with one token; it stands in a header, never in a URL. */
export class Api {
  readonly #token: string
  readonly #onRefused: () => void

  /** @param onRefused the token is not, or no longer, an admin's */
  constructor(token: string, onRefused: () => void) {
    this.#token = token
    this.#onRefused = onRefused
  }

  /** @throws ApiError */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.#fetch(path, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    return (await answer.json()) as T
  }

  /** Statuses as they come, for as long as the signal lets it; `onLine` hears whether there is a connection. */
  async follow(
    onStatus: (status: Status) => void,
    onLine: (isThere: boolean) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let last = ''
    while (!signal.aborted) {
      try {
        const quiet = new AbortController()
        const answer = await this.#fetch('/events', {
          signal: AbortSignal.any([signal, quiet.signal]),
          headers: last === '' ? {} : { 'Last-Event-ID': last },
        })
        onLine(true)
        last = await readEvents(answer, quiet, onStatus, last)
      } catch (error) {
        if (signal.aborted || (error instanceof ApiError && [401, 403].includes(error.status))) return
        onLine(false)
        await new Promise((resolve) => setTimeout(resolve, retryAfter))
      }
    }
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = { ...(init.headers as Record<string, string>), authorization: `Bearer ${this.#token}` }
    const answer = await fetch(`api/v1/backup${path}`, { ...init, headers, cache: 'no-store' }).catch(() => {
      throw new ApiError(0, { error: 'The service does not answer' })
    })
    if (answer.ok) return answer
    if (answer.status === 401 || answer.status === 403) this.#onRefused()
    const body = (await answer.json().catch(() => ({}))) as Failure
    throw new ApiError(answer.status, body)
  }
}

async function readEvents(
  answer: Response,
  quiet: AbortController,
  onStatus: (status: Status) => void,
  known: string,
): Promise<string> {
  let [last, text] = [known, '']
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const timer = setTimeout(() => quiet.abort(), silence)
    const read = await reader?.read().finally(() => clearTimeout(timer))
    if (!read || read.done) return last
    const { events, rest } = takeEvents(text + read.value)
    text = rest
    for (const { id, data } of events) {
      last = id
      onStatus(JSON.parse(data) as Status)
    }
  }
}
