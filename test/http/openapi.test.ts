import { readFileSync } from 'node:fs'
import { validate } from '@readme/openapi-parser'
import t from 'tap'
import { errorCodes } from '../../src/errors.js'
import * as answers from '../../src/http/answers.js'
import { endpoints } from '../../src/http/endpoints.js'
import { Feed } from '../../src/http/feed.js'
import { Metrics } from '../../src/http/metrics.js'
import { describeApi } from '../../src/http/openapi.js'
import { createRouter } from '../../src/http/routes.js'
import { root } from '../support/root.js'
import { Engine, startApi } from './scene.js'

type Json = Record<string, unknown>

/** Everything in it, with the way there. */
function* walk(value: unknown, path = ''): Generator<[path: string, value: Json]> {
  if (typeof value !== 'object' || value === null) return
  yield [path, value as Json]
  for (const [key, inner] of Object.entries(value)) yield* walk(inner, `${path}/${key}`)
}

t.test('the description is served to everyone, and kept in the repository', async (t) => {
  const { call } = await startApi(t)
  const { status, text, headers } = await call('GET', '/openapi.json', { headers: {} })
  t.equal(status, 200)
  t.equal(headers.get('content-type'), 'application/json')
  const kept: unknown = JSON.parse(readFileSync(`${root}docs/openapi.json`, 'utf8'))
  t.ok(JSON.stringify(JSON.parse(text)) === JSON.stringify(kept), 'npm run openapi writes docs/openapi.json')
})

t.test('it is OpenAPI 3.1 by its own rules', async (t) => {
  t.same(await validate(JSON.parse(JSON.stringify(describeApi()))), {
    valid: true,
    warnings: [],
    specification: 'OpenAPI',
  })
  const broken: unknown = { ...describeApi(), paths: { '/x': { get: { responses: { 200: {} } } } } }
  t.match(await validate(broken as Parameters<typeof validate>[0]), { valid: false }, 'the validator looks')
})

t.test('every route is described, and no other', async (t) => {
  const engine = new Engine()
  const metrics = new Metrics(engine)
  t.teardown(() => metrics.close())
  const { stack } = createRouter(engine, new Feed(engine), metrics)
  const served = stack.flatMap(({ methods, path }) =>
    methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${String(path).replace(':id', '{id}')}`),
  )
  const described = endpoints.map(({ method, path }) => `${method.toUpperCase()} ${path}`)
  t.same(described.sort(), served.sort())
  t.equal(new Set(endpoints.map(({ name }) => name)).size, endpoints.length)
})

t.test('every example is what its schema says, every field has a description or speaks for itself', async (t) => {
  for (const { name, answers: given, body } of endpoints) {
    for (const [status, { schema, example }] of Object.entries(given)) {
      t.ok(example, `${name} ${status} has an example`)
      if (schema) t.ok(schema.safeParse(example).success, `${name} ${status}`)
    }
    for (const example of (body?.meta()?.examples as unknown[] | undefined) ?? []) {
      t.ok(body?.safeParse(example).success, `${name}'s body`)
    }
  }
  const { components, paths } = describeApi() as { components: { examples: Record<string, Json> }; paths: Json }
  for (const [code, { value }] of Object.entries(components.examples)) {
    t.equal(answers.error.safeParse(value).success, true, code)
    t.match(value, { code })
  }
  for (const [where, { properties }] of walk({ components, paths })) {
    for (const [field, schema] of Object.entries((properties as Record<string, Json> | undefined) ?? {})) {
      t.ok(schema.description ?? schema.$ref, `${where} ${field}`)
    }
  }
})

t.test('each failure that a client may meet has an example', async (t) => {
  const { paths } = describeApi() as { paths: Record<string, Record<string, { responses: Json }>> }
  const get = paths['/api/v1/backup/{id}']?.get?.responses
  t.same(Object.keys(get ?? {}), ['200', '400', '401', '403', '404', '429', '500', '503', '507'])
  t.match(get?.['404'], {
    content: { 'application/json': { examples: { NOT_FOUND: { $ref: '#/components/examples/NOT_FOUND' } } } },
  })
  t.same(Object.keys(paths['/health']?.get?.responses ?? {}), ['200', '500', '503'])
  const names = JSON.stringify(describeApi())
  for (const code of errorCodes) t.ok(names.includes(`"${code}"`), code)
})
