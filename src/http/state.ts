import type { Logger } from 'pino'
import type { Caller } from '../engine/operation.js'

/** What the middlewares know of a request. */
export interface State {
  /** Carries the request's id. */
  log: Logger
  /** In the answer's header, in the body of an error, and in each line of the log about it. */
  requestId: string
  /** Path of the request as it was sent, without the query; null where the target is no URL. */
  path: string | null
  caller: Caller
  /** The request's body; undefined where there was none. */
  json?: unknown
}
