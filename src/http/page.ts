import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import type { Middleware } from 'koa'
import type { State } from './state.js'

/** Nothing from elsewhere, nothing in the text itself, and nowhere to send anything but here. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

/** By the paths that they are served at. */
const files = {
  '/': { name: 'index.html', type: 'text/html; charset=utf-8' },
  '/page/main.js': { name: 'main.js', type: 'text/javascript; charset=utf-8' },
  '/page/style.css': { name: 'style.css', type: 'text/css; charset=utf-8' },
  '/page/icon.svg': { name: 'icon.svg', type: 'image/svg+xml' },
} as const

interface Asset {
  readonly type: string
  readonly bytes: Buffer
  readonly gzipped: Buffer
  readonly etag: string
}

/** The page at `/`, open to all: it holds nothing, and asks for a token. Where it was not built there is none. */
export function page(folder = findPage(import.meta.url)): Middleware<State> {
  const assets = folder === null ? new Map<string, Asset>() : readAssets(folder)
  return async (ctx, next) => {
    const asset = assets.get(ctx.state.path ?? '')
    if (!asset || !['GET', 'HEAD'].includes(ctx.method)) return next()
    ctx.set({
      'Content-Security-Policy': policy,
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-cache',
      ETag: asset.etag,
    })
    ctx.vary('Accept-Encoding')
    ctx.status = 200
    ctx.type = asset.type
    if (ctx.fresh) {
      ctx.status = 304
      return
    }
    const isGzipped = ctx.acceptsEncodings('gzip', 'identity') === 'gzip'
    if (isGzipped) ctx.set('Content-Encoding', 'gzip')
    ctx.body = isGzipped ? asset.gzipped : asset.bytes
  }
}

/** Where `npm run build` puts it, for a module in `dist/src/http/` or `src/http/`; null where it is not built. */
export function findPage(module: string | URL): URL | null {
  const places = ['../../page/', '../../dist/page/'].map((path) => new URL(path, module))
  return places.find((place) => existsSync(new URL('index.html', place))) ?? null
}

function readAssets(folder: URL): Map<string, Asset> {
  const read = ([path, { name, type }]: [string, { name: string; type: string }]): [string, Asset] => {
    const bytes = readFileSync(new URL(name, folder))
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
    return [path, { type, bytes, gzipped: gzipSync(bytes), etag }]
  }
  return new Map(Object.entries(files).map(read))
}
