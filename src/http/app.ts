import Koa from 'koa'
import type { Logger } from 'pino'
import type { Authenticator } from '../auth/authenticator.js'
import { systemCode } from '../errors.js'
import { access } from './access.js'
import { boundary } from './boundary.js'
import type { Feed } from './feed.js'
import { headers } from './headers.js'
import type { Metrics } from './metrics.js'
import type { Operations } from './operations.js'
import { sameOrigin } from './origin.js'
import { page } from './page.js'
import { createRouter, refuseUnrouted } from './routes.js'
import type { Scheduled } from './schedule.js'
import type { State } from './state.js'

export interface AppOptions {
  readonly operations: Operations
  /** Null where nothing is scheduled. */
  readonly schedule?: Scheduled | null
  readonly feed: Feed
  readonly metrics: Metrics
  /** Null where authentication is off: everything is open. */
  readonly authenticator: Authenticator | null
  /** Does it listen on this machine only? */
  readonly isLocal: boolean
  readonly log: Logger
}

/** The REST API: headers, errors, access, routes; the order is Arc's. */
export function createApp({
  operations,
  schedule = null,
  feed,
  metrics,
  authenticator,
  isLocal,
  log,
}: AppOptions): Koa<State> {
  const app = new Koa<State>()
  // What Koa itself reports here are connections that broke while an answer was sent.
  app.on('error', (error: unknown) => log.debug({ code: systemCode(error) ?? 'unknown' }, 'connection failed'))
  const router = createRouter(operations, feed, metrics, schedule)
  app.use(headers(log, authenticator !== null))
  app.use(page())
  app.use(boundary)
  if (!authenticator) app.use(sameOrigin(isLocal))
  app.use(access(authenticator, operations))
  app.use(router.routes())
  app.use(refuseUnrouted(router))
  return app
}
