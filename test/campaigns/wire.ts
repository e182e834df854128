import { connect } from 'node:net'

/** An answer as it came over the wire. */
export interface WireAnswer {
  readonly status: number
  /** Of the fields, in lower case; of repeated ones the last. */
  readonly headers: ReadonlyMap<string, string>
  /** Head and body as they came. */
  readonly text: string
  readonly body: string
}

/**
 * Sends these bytes on a connection of its own, and reads one answer; null where the connection was closed without one, or nothing whole came in time.
 * Of a stream of events the beginning is enough.
 *
 * @param patience in ms
 */
export function exchange(
  port: number,
  bytes: Uint8Array,
  { isHead, patience }: { isHead: boolean; patience: number },
): Promise<WireAnswer | null> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let received = Buffer.alloc(0)
    const end = (answer: WireAnswer | null): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => end(null), patience)
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const answer = readAnswer(received, isHead)
      if (answer) end(answer)
    })
    // Who is sent away half-way may still have been answered.
    socket.on('error', () => {})
    socket.on('close', () => end(readAnswer(received, isHead, true)))
    socket.write(bytes)
  })
}

function readAnswer(received: Buffer, isHead: boolean, isOver = false): WireAnswer | null {
  const text = received.toString('latin1')
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const [first = '', ...fields] = text.slice(0, headEnd).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1])
  if (status < 200) return readAnswer(received.subarray(headEnd + 4), isHead, isOver)
  const headers = new Map(
    fields.map((field) => [
      field.slice(0, field.indexOf(':')).toLowerCase(),
      field.slice(field.indexOf(':') + 1).trim(),
    ]),
  )
  const rest = received.subarray(headEnd + 4)
  const body = bodyOf(rest, headers, isHead || status === 204 || status === 304, isOver)
  return body === null ? null : { status, headers, text: received.toString(), body }
}

function bodyOf(rest: Buffer, headers: ReadonlyMap<string, string>, isEmpty: boolean, isOver: boolean): string | null {
  if (isEmpty) return ''
  const length = headers.get('content-length')
  if (length !== undefined) return rest.length < Number(length) ? null : rest.toString('utf8', 0, Number(length))
  if (headers.get('content-type')?.startsWith('text/event-stream')) return rest.toString()
  if (headers.get('transfer-encoding') !== 'chunked') return isOver ? rest.toString() : null
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const line = rest.indexOf('\r\n', at)
    if (line < 0) return null
    const size = Number.parseInt(rest.toString('latin1', at, line), 16)
    if (size === 0) return Buffer.concat(parts).toString()
    at = line + 2 + size + 2
    if (rest.length < at) return null
    parts.push(rest.subarray(line + 2, at - 2))
  }
}
