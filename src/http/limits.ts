import type Router from '@koa/router'
import { z } from 'zod'
import { parseRateLimit, rateLimitExpected, showSize } from '../byte-size.js'
import type { LimitStatus } from '../engine/limits.js'
import { ServiceError } from '../errors.js'
import { body } from './body.js'
import type { Operations } from './operations.js'
import { read } from './requests.js'
import type { State } from './state.js'

const error = `must be ${rateLimitExpected}, or null`

export const limitsSchema = z
  .object({
    bandwidth_limit: z
      .string({ error })
      .refine((written) => parseRateLimit(written) !== undefined, { error })
      .nullable()
      .optional()
      .meta({ description: `${rateLimitExpected}, or null, which is none too; for all operations together` }),
  })
  .meta({ examples: [{ bandwidth_limit: '200MB/s' }, { bandwidth_limit: null }] })

/** A new limit of bytes a second, or null for none. @throws REQUEST_INVALID with what was expected */
export function parseLimits(given: unknown): { bandwidth: number | null } {
  const refuse = (why: string) => new ServiceError('REQUEST_INVALID', `Invalid request body: ${why}`)
  const { bandwidth_limit: written } = read(limitsSchema, given ?? {}, refuse)
  if (written === undefined) throw refuse(`it must have bandwidth_limit, the only limit that can be changed`)
  return { bandwidth: written === null ? null : (parseRateLimit(written) ?? null) }
}

export function limitsBody({ bandwidth, memory, priority, workers }: LimitStatus): Record<string, unknown> {
  return {
    bandwidth_limit: bandwidth === null ? null : `${showSize(bandwidth)}/s`,
    bandwidth_limit_bytes: bandwidth,
    memory_limit_bytes: memory,
    priority,
    workers,
  }
}

/** To look at the limits, and to change them while something runs. */
export function routeLimits(router: Router<State>, group: string, operations: Operations): void {
  router.get(`${group}/limits`, async (ctx) => {
    ctx.body = limitsBody(operations.limits())
  })
  const request = body((why) => new ServiceError('REQUEST_INVALID', `Invalid request body: ${why}`))
  router.patch(`${group}/limits`, request, async (ctx) => {
    ctx.body = limitsBody(operations.limitBandwidth(parseLimits(ctx.state.json).bandwidth))
  })
}
