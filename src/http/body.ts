import type { Middleware } from 'koa'
import { koaBody } from 'koa-body'
import type { ServiceError } from '../errors.js'
import type { State } from './state.js'

/** Largest request body in bytes, after it was inflated. */
export const bodyLimit = 1 << 20

const readText = koaBody({ json: false, multipart: false, urlencoded: false, text: true, textLimit: bodyLimit })

/**
 * Reads a body of at most 1 MiB. Afterwards `state.json` is what it holds, undefined for an empty one. Any content type that ends in
 * `json` is JSON, as for Arc; what can't be read is refused by `refuse`, in the words of the route.
 */
export function body(refuse: (why: string) => ServiceError): Middleware<State> {
  return async (ctx, next) => {
    const type = (ctx.get('Content-Type').split(';')[0] ?? '').trim().toLowerCase()
    // Read as text whatever it is called: only so an empty body can be told from the JSON `""`.
    ctx.req.headers['content-type'] = 'text/plain'
    await readText(ctx, async () => {}).catch((error: unknown) => {
      // 413 has words of its own.
      if ((error as { status?: unknown }).status === 413) throw error
      throw refuse('it must be whole, and compressed only as its Content-Encoding says (gzip, deflate, br)')
    })
    const text: unknown = ctx.request.body
    if (typeof text === 'string' && text !== '') {
      if (!type.endsWith('json')) throw refuse('send JSON (Content-Type: application/json)')
      try {
        ctx.state.json = JSON.parse(text)
      } catch {
        // What the parser says quotes the text, and with it whatever secret a client put there by mistake.
        throw refuse('it must be a JSON object')
      }
    }
    await next()
  }
}
