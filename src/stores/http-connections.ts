import type { Answer } from './http-answer.js'
import { type Address, Connection, headOf, type Keeper, type Request } from './http-connection.js'

/** Connections that wait for their next request, at most. */
const mostFree = 256

/** The connections to one server: as many as there are requests at once; each is kept for the next one. */
export class Connections implements Keeper {
  readonly stallMs: number
  readonly #address: Address
  readonly #free: Connection[] = []
  readonly #open = new Set<Connection>()
  #closed = false

  /** @param origin `https://host:port` */
  static to(origin: string, stallMs: number): Connections {
    const { protocol, hostname, port } = new URL(origin)
    const secure = protocol === 'https:'
    const host = hostname.replace(/^\[|\]$/g, '')
    return new Connections({ secure, host, port: Number(port) || (secure ? 443 : 80) }, stallMs)
  }

  constructor(address: Address, stallMs: number) {
    this.#address = address
    this.stallMs = stallMs
  }

  /** See `Connection.send`. @throws TypeError for what no request may hold */
  async send(request: Request): Promise<Answer> {
    const head = headOf(request)
    return this.#take().send(request, head)
  }

  #take(): Connection {
    // The one that was used last: a server ends those that rest for long.
    for (let rested = this.#free.pop(); rested; rested = this.#free.pop()) {
      if (!rested.usable) continue
      rested.wake()
      return rested
    }
    const made = new Connection(this.#address, this)
    this.#open.add(made)
    return made
  }

  free(connection: Connection): void {
    if (this.#closed || this.#free.length >= mostFree) connection.destroy()
    else {
      connection.rest()
      this.#free.push(connection)
    }
  }

  gone(connection: Connection): void {
    this.#open.delete(connection)
    const index = this.#free.indexOf(connection)
    if (index >= 0) this.#free.splice(index, 1)
  }

  close(): void {
    this.#closed = true
    for (const connection of this.#open) connection.destroy()
  }
}
