import type { Middleware } from 'koa'
import { koaBody } from 'koa-body'
import { ServiceError } from '../errors.js'
import type { State } from './state.js'

/** Largest request body in bytes. */
export const bodyLimit = 1 << 20

const parseJson = koaBody({
  json: true,
  multipart: false,
  urlencoded: false,
  text: false,
  jsonLimit: bodyLimit,
  jsonStrict: false,
})

/**
 * Reads a body of at most 1 MiB. Afterwards `request.body` is what a JSON body held, undefined for an empty one. Any content type that ends in
 * `json` is JSON, as for Arc; a body of another kind is refused by `refuse`, in the words of the route.
 */
export function body(refuse: (why: string) => ServiceError): Middleware<State> {
  return async (ctx, next) => {
    const type = (ctx.get('Content-Type').split(';')[0] ?? '').trim().toLowerCase()
    if (type.endsWith('json') && ctx.get('Content-Length') !== '0') {
      ctx.req.headers['content-type'] = 'application/json'
      await parseJson(ctx, async () => {})
    } else if ((await countBytes(ctx.req)) > 0) {
      throw refuse('send JSON (Content-Type: application/json)')
    }
    await next()
  }
}

async function countBytes(request: AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > bodyLimit) throw new ServiceError('TOO_LARGE', 'Request Entity Too Large')
  }
  return bytes
}
