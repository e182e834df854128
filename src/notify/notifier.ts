import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type CommandSettings, runCommand } from './command.js'
import { newsOf } from './news.js'
import { Webhook, type WebhookSettings } from './webhook.js'

/** How long what a webhook was not told yet may take when the process ends, in ms. */
const lastWords = 10_000

export interface NotifierSettings {
  readonly command: CommandSettings | null
  readonly webhook: WebhookSettings | null
}

/** Tells a program and a URL how operations ended. Whatever becomes of that changes nothing of the operation. */
export class Notifier {
  readonly #command: CommandSettings | null
  readonly #webhook: Webhook | null
  readonly #log: Logger
  readonly #sending = new Set<Promise<void>>()
  /** One program at a time. */
  #commands: Promise<void> = Promise.resolve()

  constructor({ command, webhook }: NotifierSettings, log: Logger) {
    this.#command = command
    this.#webhook = webhook ? new Webhook(webhook, log) : null
    this.#log = log
  }

  /** @param operation as the REST API answers it */
  tell(operation: Readonly<Record<string, unknown>>): void {
    const news = newsOf(operation)
    if (!news) return
    const command = this.#command
    if (command) this.#commands = this.#commands.then(() => runCommand(command, news, this.#log))
    if (!this.#webhook) return
    const sent = this.#webhook.send(news).finally(() => this.#sending.delete(sent))
    this.#sending.add(sent)
  }

  /** Waits for commands, each of which has its own time, and a while for a webhook that does not answer. */
  async close(patienceMs = lastWords): Promise<void> {
    const patience = new AbortController()
    const late = sleep(patienceMs, undefined, { signal: patience.signal }).catch(() => {})
    await Promise.race([Promise.all(this.#sending), late])
    patience.abort()
    this.#webhook?.close()
    await Promise.all([...this.#sending, this.#commands])
  }
}
