import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Transport } from '../stores/s3-transport.js'
import type { News } from './news.js'
import { signatureHeaders } from './signature.js'

export interface WebhookSettings {
  readonly url: string
  readonly secret: string
  /** How long one answer may take, in ms. */
  readonly timeoutMs: number
}

/** Pauses before it is sent again, in ms: all in all a quarter of an hour. */
const pauses = [1000, 2000, 5000, 15_000, 60_000, 180_000, 600_000]

/** Posts news to a URL, signed, again and again until it is taken with a 2xx. Neither the URL nor the secret gets into a log. */
export class Webhook {
  readonly #settings: WebhookSettings
  readonly #log: Logger
  readonly #transport: Transport
  readonly #pauses: readonly number[]
  readonly #closing = new AbortController()

  constructor(settings: WebhookSettings, log: Logger, waits = pauses) {
    this.#settings = settings
    this.#log = log
    this.#pauses = waits
    this.#transport = new Transport(settings.timeoutMs)
  }

  /** Never rejects: what goes wrong is in the log. */
  async send(news: News): Promise<void> {
    const { type, at, operation } = news
    const about = { event: type, operation_id: operation.operation_id }
    const body = JSON.stringify({ type, timestamp: at, host: hostname(), data: operation })
    for (const [attempt, pause] of [0, ...this.#pauses].entries()) {
      await sleep(pause, undefined, { signal: this.#closing.signal }).catch(() => {})
      if (this.#closing.signal.aborted) break
      const why = await this.#post(String(operation.operation_id), body)
      if (why === null) return this.#log.debug({ ...about, attempt: attempt + 1 }, 'the webhook was told')
      const isLast = attempt === this.#pauses.length
      this.#log.warn({ ...about, attempt: attempt + 1 }, `the webhook ${why}${isLast ? ', and is given up' : ''}`)
    }
    if (this.#closing.signal.aborted) this.#log.warn(about, 'the webhook was not told before the end of this process')
  }

  /** Gives up what is under way. */
  close(): void {
    this.#closing.abort()
    this.#transport.close()
  }

  /** @returns why it did not take it, or null */
  async #post(id: string, body: string): Promise<string | null> {
    const { url: text, secret, timeoutMs } = this.#settings
    const url = new URL(text)
    const late = AbortSignal.timeout(timeoutMs)
    try {
      const answer = await this.#transport.send({
        method: 'POST',
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        headers: {
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(body)),
          'user-agent': 'arc-backup',
          host: url.host,
          ...signatureHeaders(secret, `op_${id}`, Date.now(), body),
        },
        body: Buffer.from(body),
        signal: AbortSignal.any([this.#closing.signal, late]),
      })
      // Whatever else it says is nothing to us.
      answer.on('error', () => {})
      answer.destroy()
      const { statusCode = 0 } = answer
      return statusCode >= 200 && statusCode < 300 ? null : `answered ${statusCode}`
    } catch (error) {
      return late.aborted ? `did not answer in ${timeoutMs} ms` : `was not reached: ${reasonOf(error)}`
    }
  }
}

/** A code alone: messages repeat addresses, and some of them what stands in one. */
function reasonOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown }
  return String(code ?? name ?? 'unknown')
}
