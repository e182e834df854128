import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { OperationStatus } from '../engine/operation.js'
import type { Operations } from './operations.js'
import { positionOf } from './responses.js'
import { Teller, type ToldEvent } from './teller.js'

/** Between two events of a client, in ms: four a second. Who waits for a change of status gets one no sooner. */
const period = 250

export interface FeedOptions {
  /** Ms of silence after which a comment is sent, so that no proxy takes the connection for dead. */
  readonly heartbeatMs: number
  /** Ms that a client may leave what it was sent where it is. */
  readonly patienceMs: number
  /** Ms after which a stream ends and the client comes again with its last id: by then its token may have been revoked. */
  readonly lifetimeMs: number
}

const defaults: FeedOptions = { heartbeatMs: 15_000, patienceMs: 10_000, lifetimeMs: 15 * 60_000 }

/** What goes on, for those who stay: as a stream of server-sent events, or as an answer that waits for a change. */
export class Feed {
  readonly #operations: Operations
  readonly #options: FeedOptions
  readonly #streams = new Set<{ end: () => void }>()
  /** Ends every wait. */
  readonly #hurry = new AbortController()

  constructor(operations: Operations, options: Partial<FeedOptions> = {}) {
    this.#operations = operations
    this.#options = { ...defaults, ...options }
  }

  /**
   * A stream of events, without end as long as it is read: nothing is sent while the last event has not gone out, and who does not take it for ten
   * seconds is dropped, so that no more than one event is ever held for a client.
   *
   * @param last id of the last event that the client has
   */
  open(last: string | undefined): Readable {
    const { heartbeatMs, patienceMs, lifetimeMs } = this.#options
    const teller = new Teller(this.#operations, last)
    const stream = new Readable({ read() {} })
    const began = performance.now()
    let [timer, spoke]: [NodeJS.Timeout | undefined, number] = [undefined, began]
    const turn = (): void => {
      const now = performance.now()
      timer = setTimeout(turn, period)
      if (stream.readableLength > 0) {
        if (now - spoke > patienceMs) stream.destroy(new Error('a client does not take its events'))
        return
      }
      if (now - began > lifetimeMs) end()
      else if (say(stream, teller)) spoke = now
      else if (now - spoke >= heartbeatMs) {
        spoke = now
        stream.push(':\n\n')
      }
    }
    const end = (): void => {
      if (!stream.destroyed) stream.push(null)
      clearTimeout(timer)
    }
    const entry = {
      end: () => {
        // How what ran has ended, that is: interrupted.
        for (let more = true; more && !stream.destroyed; ) more = say(stream, teller)
        end()
      },
    }
    this.#streams.add(entry)
    stream.once('close', () => {
      clearTimeout(timer)
      this.#streams.delete(entry)
    })
    // At once, so that a client sees that it is heard.
    stream.push('retry: 1000\n\n')
    timer = setTimeout(turn)
    return stream
  }

  /**
   * The status as soon as it is another than the client has, or when the time is over. Progress alone is answered after a quarter of a second, so that who
   * asks again and again does not ask without pause.
   *
   * @param since `event_id` of the status that the client has; absent: as it is now
   * @param isWanted false once the client is gone
   */
  async changed(
    since: string | undefined,
    waitMs: number,
    isWanted: () => boolean = () => true,
  ): Promise<OperationStatus | null> {
    const end = performance.now() + waitMs
    const known = since ?? positionOf(this.#operations.status())
    for (let first = true; ; first = false) {
      const status = this.#operations.status()
      const position = positionOf(status)
      const isNew = first ? withoutProgress(position) !== withoutProgress(known) : position !== known
      const left = end - performance.now()
      if (isNew || left <= 0 || this.#hurry.signal.aborted || !isWanted()) return status
      await sleep(Math.min(left, period), undefined, { signal: this.#hurry.signal }).catch(() => {})
    }
  }

  /** Whoever waits is answered now: the last moment at which a status is still to be had. */
  endWaits(): void {
    this.#hurry.abort()
  }

  /** Ends every stream with what is still to be told. */
  close(): void {
    for (const { end } of this.#streams) end()
  }
}

function say(stream: Readable, teller: Teller): boolean {
  try {
    const event = teller.next()
    if (event) stream.push(format(event))
    return event !== null
  } catch (error) {
    stream.destroy(error instanceof Error ? error : new Error(String(error)))
    return false
  }
}

function format({ event, id, data }: ToldEvent): string {
  return `event: ${event}\nid: ${id}\ndata: ${data}\n\n`
}

function withoutProgress(position: string): string {
  return position.split('.', 2).join('.')
}
