import { STATUS_CODES } from 'node:http'
import { z } from 'zod'
import { type ErrorCode, ServiceError } from '../errors.js'
import { version } from '../version.js'
import * as answers from './answers.js'
import { errorBody } from './boundary.js'
import { type Endpoint, endpoints, errorsOf } from './endpoints.js'

type Json = Record<string, unknown>
/** Schemas that have a name. */
type Components = Record<string, unknown>

/** What an error of each code says, for the examples; the others speak of a store. */
const sentences: Partial<Record<ErrorCode, string>> = {
  REQUEST_INVALID: 'Invalid backup ID format',
  UNAUTHENTICATED: 'Authentication required',
  FORBIDDEN: 'Admin permission required',
  NOT_FOUND: 'Backup not found',
  BUSY: 'A backup or restore operation is already in progress',
  TOO_LARGE: 'Request Entity Too Large',
  TOO_MANY_REQUESTS: 'Too many authentication attempts',
  UNAVAILABLE: 'the service is shutting down',
}
const componentUri = '#/components/schemas/'
const sampleId = 'backup-20261123-103045-c526b8a7'
const requestId = '3f8e2d54-7c1b-4a6e-9d0f-5b2a1c3e4d5f'

/** The API as OpenAPI 3.1, made of the schemas that check requests and, in the tests, answers. */
export function describeApi(): Json {
  const paths: Record<string, Json> = {}
  const found: Components = {}
  for (const endpoint of endpoints) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method]: describeEndpoint(endpoint, found) }
  }
  // Only told of in words: a line of JSON each.
  schemaOf(answers.finding, found, 'output')
  return {
    openapi: '3.1.0',
    info: {
      title: 'arc-backup',
      version,
      summary: 'Backup and restore for the Arc time-series database',
      description:
        "Arc's own API for backups, and more. Sizes are bytes, durations milliseconds unless a name says otherwise, times RFC 3339. HEAD is answered wherever GET is.",
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { apiKey: [] }],
    paths,
    components: {
      examples: errorExamples(),
      schemas: Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: "one of Arc's admin tokens" },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'the same in another header' },
      },
    },
  }
}

function describeEndpoint(endpoint: Endpoint, found: Components): Json {
  const { name, summary, description, isPublic, body } = endpoint
  return {
    operationId: name,
    summary,
    ...(description && { description }),
    ...(isPublic && { security: [] }),
    parameters: parametersOf(endpoint, found),
    ...(body && {
      requestBody: { required: false, content: { 'application/json': { schema: schemaOf(body, found) } } },
    }),
    responses: { ...successes(endpoint, found), ...failures(endpoint, found) },
  }
}

function parametersOf({ id, query, headers }: Endpoint, found: Components): Json[] {
  const { properties = {}, required = [] } =
    query === 'target'
      ? { properties: { target: { type: 'string', description: 'where it is, if several targets have it' } } }
      : query
        ? (schemaOf(query, found) as { properties?: Record<string, Json>; required?: string[] })
        : {}
  return [
    ...(id
      ? [
          {
            name: 'id',
            in: 'path',
            required: true,
            schema: schemaOf(id === 'backup' ? answers.backupId : answers.operationId, found),
          },
        ]
      : []),
    ...Object.entries(properties).map(([name, { description, ...schema }]) => ({
      name,
      in: 'query',
      required: required.includes(name),
      description,
      schema,
    })),
    ...Object.entries(headers ?? {}).map(([name, description]) => ({
      name,
      in: 'header',
      description,
      schema: { type: 'string' },
    })),
  ]
}

function successes({ answers: given }: Endpoint, found: Components): Json {
  const described = Object.entries(given).map(
    ([status, { description, type = 'application/json', schema, example }]) => [
      status,
      {
        description,
        content: { [type]: { schema: schema ? schemaOf(schema, found, 'output') : { type: 'string' }, example } },
      },
    ],
  )
  return Object.fromEntries(described)
}

/** By status, with an example for each code that has it. */
function failures(endpoint: Endpoint, found: Components): Json {
  const byStatus: Record<string, Json> = {}
  for (const code of errorsOf(endpoint)) {
    const status = String(sampleOf(code).status)
    if (status in endpoint.answers) continue
    byStatus[status] = { ...byStatus[status], [code]: { $ref: `#/components/examples/${code}` } }
  }
  const schema = schemaOf(answers.error, found, 'output')
  const described = Object.entries(byStatus).map(([status, examples]) => [
    status,
    { description: STATUS_CODES[status] ?? status, content: { 'application/json': { schema, examples } } },
  ])
  return Object.fromEntries(described)
}

function errorExamples(): Json {
  const codes = [...new Set(endpoints.flatMap(errorsOf))].sort()
  return Object.fromEntries(codes.map((code) => [code, { value: errorBody(sampleOf(code), requestId) }]))
}

function sampleOf(code: ErrorCode): ServiceError {
  return new ServiceError(code, sentences[code] ?? `cannot read ${sampleId} at s3://acme-arc-backups: …`)
}

/** A component by its name, anything else in full; `found` gets each component that it refers to. */
function schemaOf(schema: z.ZodType, found: Components, io: 'input' | 'output' = 'input'): Json {
  const text = JSON.stringify(z.toJSONSchema(schema, { io, unrepresentable: 'any', override: tidy }))
  const { $schema: _schema, $defs = {}, ...own } = JSON.parse(text.replaceAll('#/$defs/', componentUri)) as Json
  Object.assign(found, $defs)
  const id = z.globalRegistry.get(schema)?.id
  if (id === undefined || '$ref' in own) return own
  found[id] = own
  return { $ref: componentUri + id }
}

/** Without what only repeats: the expression for a date-time, and the largest number that JavaScript can count to. */
function tidy({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.format === 'date-time' || jsonSchema.format === 'uuid') delete jsonSchema.pattern
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
}
