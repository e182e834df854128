import type { Logger } from 'pino'
import type { Caller } from '../engine/operation.js'

/** What the middlewares know of a request. */
export interface State {
  /** Carries the request's id. */
  log: Logger
  caller: Caller
}
