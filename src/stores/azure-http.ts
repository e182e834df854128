import { createHttpHeaders, type HttpClient, type PipelineResponse } from '@azure/core-rest-pipeline'
import { type Answer, textOf } from './http-answer.js'
import { Connections } from './http-connections.js'

/** An answer whose body is still to be read, and by whom: the SDK's stream of it costs more than the rest of a small answer. */
export interface DirectResponse extends PipelineResponse {
  readonly answer: Answer
}

/**
 * The SDK's HTTP client over connections of our own, which take a fraction of the CPU (see `Connection`). For one server, without a proxy in between, and for bodies that are bytes. Failures are
 * the system's own errors, and `Stalled`.
 */
export function directClient(origin: string, stallMs: number): HttpClient & { close(): void } {
  const connections = Connections.to(origin, stallMs)
  const { host } = new URL(origin)
  return {
    sendRequest: async (request): Promise<PipelineResponse> => {
      const { method, body, streamResponseStatusCodes: streamed } = request
      const { pathname, search } = new URL(request.url)
      const headers: Record<string, string> = { host }
      for (const [name, value] of request.headers) headers[name] = value
      const bytes = body instanceof Uint8Array ? { body } : {}
      const answer = await connections.send({ method, path: pathname + search, headers, ...bytes })
      const response = { request, status: answer.status, headers: createHttpHeaders({ ...answer.headers }) }
      if (!streamed?.has(answer.status)) return { ...response, bodyAsText: await textOf(answer) }
      const direct: DirectResponse = { ...response, answer }
      return direct
    },
    close: () => connections.close(),
  }
}
