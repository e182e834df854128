import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

interface Held {
  /** The plain one, also below TLS. */
  readonly socket: Socket
  /** To its latest request. */
  response?: ServerResponse
}

/**
 * Keeps connections that are of no use from keeping others out. Where there are as many as may be, the one that has been idle for longest goes for one that
 * comes: whoever opens thousands and says nothing harms nobody else. One that a request is being worked on for stays. Nor may anyone leave an answer where it is.
 */
export class Connections {
  readonly #most: number
  /** By the peer's address and port; whoever asked last is the last. */
  readonly #held = new Map<string, Held>()

  /** @param takeMs how long a client may take nothing of its answer */
  constructor(server: Server, most: number, takeMs: number) {
    this.#most = most
    server.on('connection', (socket: Socket) => this.#add(socket))
    // Node's own time-out between two requests comes here too: with a listener Node does nothing by itself.
    server.setTimeout(takeMs, (socket: Socket) => {
      if (!this.#isWorking(this.#held.get(peerOf(socket))) || socket.writableLength > 0) socket.destroy()
    })
  }

  /** To be told of each request. */
  note(socket: Socket, response: ServerResponse): void {
    const peer = peerOf(socket)
    const held = this.#held.get(peer)
    if (!held) return
    held.response = response
    this.#held.delete(peer)
    this.#held.set(peer, held)
  }

  #add(socket: Socket): void {
    const peer = peerOf(socket)
    this.#held.set(peer, { socket })
    socket.once('close', () => {
      if (this.#held.get(peer)?.socket === socket) this.#held.delete(peer)
    })
    if (this.#held.size <= this.#most) return
    // The one that came is the last to be looked at.
    for (const held of this.#held.values()) {
      if (this.#isWorking(held)) continue
      held.socket.destroy()
      return
    }
  }

  /** An answer that only waits to be taken is no work. */
  #isWorking(held: Held | undefined): boolean {
    return held?.response !== undefined && !held.response.writableEnded
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
