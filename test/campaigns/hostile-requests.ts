import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import fc, { type Arbitrary } from 'fast-check'
import { describeApi } from '../../src/http/openapi.js'

/** A request as the bytes that are sent, and what may be expected of it. */
export interface HostileRequest {
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array | null
  /** Is it HTTP as it should be? Then it has an answer. */
  readonly isWhole: boolean
  readonly bytes: Uint8Array
}

/** What an attacker may know or guess. */
export interface Knowledge {
  /** The first is an admin's. */
  readonly tokens: readonly string[]
  readonly backupIds: readonly string[]
  readonly targets: readonly string[]
  /** Places that no request may reach, as a path would lead there. */
  readonly outside: readonly string[]
}

type Schema = Readonly<Record<string, unknown>>

const description = describeApi() as {
  paths: Record<string, Record<string, { parameters: Schema[]; requestBody?: Schema }>>
  components: { schemas: Record<string, Schema> }
}
const bomb = gzipSync(Buffer.alloc(64 << 20))
const standard = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'SEARCH', 'QUERY']

/** Requests of all kinds, from what is described to what is no HTTP any more. */
export function hostileRequests(known: Knowledge): Arbitrary<HostileRequest> {
  const parts = partsOf(known)
  return fc
    .oneof(
      { weight: 6, arbitrary: describedRequests(parts) },
      {
        weight: 3,
        arbitrary: fc.record({ method: parts.method, target: parts.target, headers: parts.headers, body: parts.body }),
      },
    )
    .chain((plain) =>
      fc.oneof({ weight: 12, arbitrary: fc.constant(encode(plain)) }, { weight: 1, arbitrary: broken(encode(plain)) }),
    )
}

type Parts = ReturnType<typeof partsOf>
type Plain = Pick<HostileRequest, 'method' | 'target' | 'headers' | 'body'>

function partsOf({ tokens, backupIds, targets, outside }: Knowledge) {
  const ways = outside.flatMap((path) => [
    path,
    `../../../../..${path}`,
    encodeURIComponent(`../../../..${path}`),
    `file://${path}`,
  ])
  const nasty = fc.oneof(
    fc.constantFrom(...ways),
    fc.constantFrom(
      ...[
        '..',
        '.',
        '%2e%2e%2f%2e%2e%2f',
        '..%252f..%252f',
        '..\\..\\',
        '%00',
        '%',
        '%zz',
        '%c0%ae%c0%ae/',
        '~',
        '*',
        '',
      ],
      ...[
        '__proto__',
        'constructor',
        'toString',
        'hasOwnProperty',
        'null',
        'true',
        '-1',
        '0',
        '1e309',
        'NaN',
        '9'.repeat(400),
      ],
      ...[
        "' OR 1=1 --",
        '"; DROP TABLE api_tokens; --',
        '{{7*7}}',
        '$' + '{7*7}',
        '<script>alert(1)</script>',
        '$(id)',
        '`id`',
      ],
      ...[
        '%0d%0aX-Injected:%20yes',
        '\r\nX-Injected: yes',
        'a\u0000b',
        '\u001b[2J',
        '\u009b2J',
        '\u202e',
        '\ud800',
        'a'.repeat(6000),
      ],
    ),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(...tokens),
  )
  const backupId = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...backupIds) },
    { weight: 1, arbitrary: fc.stringMatching(/^backup-20[0-9]{6}-[0-2][0-9]{5}-[0-9a-f]{8}$/) },
    { weight: 1, arbitrary: nasty },
  )
  const token = fc.oneof(
    { weight: 12, arbitrary: fc.constant(`Bearer ${tokens[0]}`) },
    { weight: 2, arbitrary: fc.constantFrom(...tokens).map((one) => `Bearer ${one}`) },
    // Few of them: each new one costs a hash.
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '',
        'Bearer',
        'Bearer ',
        'Basic YTpi',
        'Token wrong',
        'Bearer \u00ff',
        `Bearer ${'x'.repeat(5000)}`,
      ),
    },
  )
  const target = fc.oneof(
    fc.constantFrom(...Object.keys(description.paths), '/', '/page/main.js', '/api/v1/backup/'),
    fc
      .array(fc.oneof(nasty, fc.constantFrom('api', 'v1', 'backup', 'page', 'operations')), { maxLength: 6 })
      .map((names) => `/${names.join('/')}`),
    fc
      .tuple(fc.constantFrom('http://x', 'HTTP://[::1]', 'http://', 'ftp://x', '//x', '*', 'x'), nasty)
      .map((two) => two.join('/')),
  )
  const headers = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: token.map((value): [string, string] => ['Authorization', value]) },
      { weight: 1, arbitrary: fc.constantFrom(...tokens).map((value): [string, string] => ['X-Api-Key', value]) },
      { weight: 2, arbitrary: nasty.map((value): [string, string] => ['Last-Event-ID', value]) },
      {
        weight: 4,
        arbitrary: fc.tuple(
          fc.constantFrom(
            'Host',
            'Origin',
            'Accept',
            'Accept-Encoding',
            'Range',
            'If-None-Match',
            'Cookie',
            'Expect',
            'Upgrade',
            'Content-Type',
            'X-Forwarded-For',
            'X-HTTP-Method-Override',
            'X-Request-Id',
            'Sec-Fetch-Site',
            'Access-Control-Request-Method',
            'Content-Encoding',
          ),
          fc.oneof(
            nasty,
            fc.constantFrom(
              'application/json',
              'text/plain',
              'gzip',
              'br',
              'gzip, gzip',
              '*',
              'bytes=0-1',
              '100-continue',
              'DELETE',
              'http://evil.example',
              'text/event-stream',
            ),
          ),
        ),
      },
    ),
    { maxLength: 5 },
  )
  const body = fc.oneof(
    fc.constant(null),
    fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 200 }),
    fc.constantFrom(
      Buffer.from('['.repeat(100_000)),
      Buffer.from(`{"__proto__": {"admin": true}, "constructor": {"prototype": {"confirm": true}}}`),
      Buffer.from(`{"databases": [${'"a",'.repeat(50_000)}"a"]}`),
      Buffer.alloc(1 << 21, ' '),
      Buffer.from('\ufeff{}'),
    ),
  )
  const database = fc.oneof(
    fc.constantFrom('metrics', 'alpha_iot', '..', '../..', '.hidden', 'a/b', '_schema'),
    fc.string({ unit: 'binary' }),
  )
  return {
    database,
    nasty,
    backupId,
    token,
    target,
    headers,
    body,
    method: fc.oneof(fc.constantFrom(...standard), fc.stringMatching(/^[A-Z]{1,10}$/)),
    placeName: usually(fc.constantFrom(...targets, ''), nasty),
  }
}

/** What the description allows, with a value here and there that it does not. */
function describedRequests(parts: Parts): Arbitrary<Plain> {
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  return fc.constantFrom(...operations).chain(({ path, method, operation }) => {
    const id = path.includes('/operations/')
      ? fc.oneof(fc.stringMatching(/^[0-9a-f]{12}$/), parts.nasty)
      : parts.backupId
    const query = operation.parameters
      .filter((one) => one.in === 'query')
      .map(({ name, schema }) => {
        // A long wait would only make the run long.
        const value =
          name === 'wait'
            ? fc.constantFrom('10ms', '0s', '61s', '1h', 'x')
            : name === 'target'
              ? parts.placeName
              : usually(
                  valuesOf(schema as Schema, parts).map((one) => String(one)),
                  parts.nasty,
                )
        return fc.option(value).map((given) => (given === null ? [] : [`${name}=${quote(given)}`]))
      })
    const schema = (operation.requestBody?.content as Record<string, { schema: Schema }> | undefined)?.[
      'application/json'
    ]?.schema
    const json = schema
      ? fc.option(
          fc.oneof({ weight: 5, arbitrary: valuesOf(schema, parts) }, { weight: 1, arbitrary: fc.jsonValue() }),
          { freq: 9 },
        )
      : fc.constant(null)
    const coding = fc.oneof(
      { weight: 4, arbitrary: fc.constant(null) },
      { weight: 2, arbitrary: fc.constantFrom('gzip', 'deflate', 'br', 'bomb') },
    )
    return fc
      .record({ id, query: fc.tuple(...query), json, coding, token: parts.token, more: parts.headers })
      .map(({ id, query, json, coding, token, more }) => {
        const search = query.flat().join('&')
        const body = json === null ? null : compress(JSON.stringify(json), coding)
        return {
          method: method.toUpperCase(),
          target: path.replace('{id}', quote(id)) + (search && `?${search}`),
          headers: [
            ['Authorization', token],
            ...(body ? [['Content-Type', 'application/json'] as const] : []),
            ...(body && coding ? [['Content-Encoding', coding === 'bomb' ? 'gzip' : coding] as const] : []),
            ...more.filter(([name]) => name.startsWith('X-') || name === 'Last-Event-ID'),
          ] as const,
          body,
        }
      })
  })
}

function compress(text: string, coding: string | null): Uint8Array {
  if (coding === 'bomb') return bomb
  if (coding === 'gzip') return gzipSync(text)
  if (coding === 'deflate') return deflateSync(text)
  if (coding === 'br') return brotliCompressSync(text)
  return Buffer.from(text)
}

/** Values of a schema; one field in eight is of another kind, or missing. */
function valuesOf(schema: Schema, parts: Parts): Arbitrary<unknown> {
  const { $ref, anyOf, oneOf, enum: words, const: only, type, properties, items, pattern, minimum, maximum } = schema
  if (typeof $ref === 'string')
    return valuesOf(description.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {}, parts)
  const choices = (anyOf ?? oneOf) as Schema[] | undefined
  if (choices) return fc.oneof(...choices.map((one) => valuesOf(one, parts)))
  if (Array.isArray(words)) return fc.constantFrom(...(words as unknown[]))
  if (only !== undefined) return fc.constant(only)
  if (type === 'boolean') return fc.boolean()
  if (type === 'null') return fc.constant(null)
  if (type === 'integer' || type === 'number') {
    return fc.integer({ min: Number(minimum ?? 0), max: Math.min(Number(maximum ?? 1000), 1000) })
  }
  if (type === 'array') return fc.array(valuesOf((items ?? {}) as Schema, parts), { maxLength: 4 })
  if (type === 'object') {
    const fields = Object.entries((properties ?? {}) as Record<string, Schema>).map(
      ([name, inner]) => [name, fieldOf(name, inner, parts)] as const,
    )
    return fc.record(Object.fromEntries(fields), { requiredKeys: [] })
  }
  if (typeof pattern === 'string') return usually(fc.stringMatching(new RegExp(pattern)), parts.nasty)
  return usually(fc.constantFrom('UTC', 'Europe/Berlin'), parts.nasty)
}

function fieldOf(name: string, schema: Schema, parts: Parts): Arbitrary<unknown> {
  // No tokens there: which names are unknown is said to whoever named them, and to nobody else.
  if (name === 'databases') {
    return usually(fc.uniqueArray(fc.constantFrom('metrics', 'alpha_iot'), { minLength: 1 }), fc.array(parts.database))
  }
  const right =
    name === 'backup_id'
      ? parts.backupId
      : name === 'target'
        ? parts.placeName
        : name === 'confirm'
          ? fc.constant(true)
          : valuesOf(schema, parts)
  return usually(right, fc.oneof(fc.jsonValue(), parts.nasty), 25)
}

function encode({ method, target, headers, body }: Plain, framing?: string): HostileRequest {
  const line = `${method} ${target} HTTP/1.1`
  const fields = headers.map(([name, value]) => `${name}: ${value}`)
  const length = framing ?? (body ? `Content-Length: ${body.length}` : '')
  const text = [line, 'Host: 127.0.0.1', ...fields, ...(length ? [length] : []), '', ''].join('\r\n')
  const bytes = Buffer.concat([Buffer.from(text), body ?? Buffer.alloc(0)])
  const isWhole =
    framing === undefined &&
    text.length < 12_000 &&
    /^[A-Z]+ [!-~]+ HTTP\/1\.1$/.test(line) &&
    fields.every((field) => /^[\x20-\x7e]*$/.test(field)) &&
    standard.includes(method) &&
    !fields.some((field) => /^(Upgrade|Expect|Host):/.test(field))
  return { method, target, headers, body, isWhole, bytes }
}

/** Bytes that differ, that are missing, or a length that is not true. */
function broken(request: HostileRequest): Arbitrary<HostileRequest> {
  const { bytes } = request
  return fc.oneof(
    fc
      .array(fc.tuple(fc.nat(Math.max(0, Math.min(bytes.length, 600) - 1)), fc.nat(255)), {
        minLength: 1,
        maxLength: 4,
      })
      .map((changes) => {
        const copy = Uint8Array.from(bytes)
        for (const [at, byte] of changes) copy[at] = byte
        return { ...request, isWhole: false, bytes: copy }
      }),
    fc
      .nat(Math.min(bytes.length, 2000))
      .map((length) => ({ ...request, isWhole: false, bytes: bytes.subarray(0, length) })),
    fc
      .constantFrom(
        'Transfer-Encoding: chunked',
        'Content-Length: 3',
        'Content-Length: 9999',
        'Content-Length: 0\r\nTransfer-Encoding: chunked',
        'Content-Length: -1',
      )
      .map((framing) => encode(request, framing)),
  )
}

/** As in a URL; half of a pair of surrogates has no place there. */
function quote(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, ''))
}

/** The right one, and once in so many times another. */
function usually<T, U>(right: Arbitrary<T>, other: Arbitrary<U>, times = 5): Arbitrary<T | U> {
  return fc.oneof({ weight: times - 1, arbitrary: right }, { weight: 1, arbitrary: other })
}
