import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { ServiceError } from '../errors.js'
import type { Body } from './backups.js'
import type { Sender } from './sender.js'

/** Ms without a byte after which a stream is taken for dead: the service says something every 15 s. */
const longestSilence = 40_000

/**
 * The statuses of one operation as a service tells them, the last one after its end. A stream that the service ends is taken up where it was.
 *
 * @param url of the service's `/events`
 * @throws UNAVAILABLE or a network error where the stream breaks, or the service has none (Arc's own has not)
 */
export async function* followOperation(
  sender: Sender,
  url: URL,
  headers: Record<string, string>,
  operationId: string,
): AsyncGenerator<Body> {
  for (let last = operationId; ; ) {
    let heard = false
    for await (const { id, data } of listen(sender, url, { ...headers, 'last-event-id': last })) {
      const status = JSON.parse(data) as Body
      if (status.operation_id !== operationId) continue
      yield status
      if (status.status !== 'running') return
      heard = true
      last = id ?? last
    }
    if (!heard) throw new ServiceError('UNAVAILABLE', `${url.origin} ends its stream of events at once`)
  }
}

async function* listen(sender: Sender, url: URL, headers: Record<string, string>): AsyncGenerator<EventSourceMessage> {
  const abort = new AbortController()
  const silence = setTimeout(() => abort.abort(), longestSilence)
  try {
    const accept = 'text/event-stream'
    const sent = { method: 'GET', headers: { ...headers, accept }, signal: abort.signal }
    const answer = await sender.send(url, sent)
    if (answer.statusCode !== 200 || !answer.headers['content-type']?.startsWith(accept)) {
      throw new ServiceError('UNAVAILABLE', `${url.origin} has no stream of events (HTTP ${answer.statusCode})`)
    }
    const events: EventSourceMessage[] = []
    const parser = createParser({ onEvent: (event) => void events.push(event) })
    const decoder = new TextDecoder()
    for await (const chunk of answer) {
      silence.refresh()
      parser.feed(decoder.decode(chunk as Buffer, { stream: true }))
      yield* events.splice(0)
    }
  } finally {
    clearTimeout(silence)
    abort.abort()
  }
}
