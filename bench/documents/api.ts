import { z } from 'zod'
import { ServiceError } from '../../src/errors.js'
import { type Endpoint, endpoints } from '../../src/http/endpoints.js'

const opening = `# The API

<!-- Written by \`npm run docs\` from the table of endpoints in src/http/endpoints.ts. -->

This page is a summary. All of it, with every field, unit, error and example, is in [openapi.json](openapi.json), which the service has at \`/openapi.json\` too; a typed client can be made of it
(\`test/e2e/typed-client.test.ts\` does).

Every request but the public ones needs an admin token of Arc's: \`Authorization: Bearer …\`, or \`x-api-key\`. Bodies are JSON, at most 1 MiB. Sizes are bytes, times RFC 3339. HEAD is answered wherever GET
is. An error is \`{"error", "code", "hint", "request_id"}\`; [troubleshooting.md](troubleshooting.md) has the codes.

It is Arc's own API, and more. It differs from Arc's on purpose in these: the 202 of a create carries \`backup_id\`; an unknown id on delete and restore is 404; a create body that is not what it should
be is 400; the list is sorted.
`

/** `docs/api.md`: every route, and the fields of every body and query. */
export function describeRoutes(): string {
  const routes = endpoints.map((one) => {
    const { method, path, summary, isPublic, answers } = one
    const errors = one.errors.filter((code) => !code.startsWith('STORE_') && new ServiceError(code, '').status < 500)
    return `| \`${method.toUpperCase()} ${path}\` | ${summary}${isPublic ? ' (public)' : ''} | ${Object.keys(answers).join(', ')} | ${errors.map((code) => `\`${code}\``).join(', ')} |`
  })
  const head = ['| Request | What it does | Answers | May refuse with |', '|---|---|---|---|']
  return [opening, ...head, ...routes, '', ...endpoints.flatMap(describeFields)].join('\n')
}

function describeFields({ method, path, summary, description, body, query }: Endpoint): string[] {
  const fields = [...fieldsOf(body, 'body'), ...(query === 'target' ? [] : fieldsOf(query, 'query'))]
  if (fields.length === 0 && !description) return []
  const head = ['| Field | In | Must be | What it is |', '|---|---|---|---|']
  return [
    `## ${summary}`,
    '',
    `\`${method.toUpperCase()} ${path}\``,
    '',
    ...(description ? [description, ''] : []),
    ...(fields.length > 0 ? [...head, ...fields, ''] : []),
  ]
}

function fieldsOf(schema: z.ZodObject | undefined, where: string): string[] {
  if (!schema) return []
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as {
    properties?: Record<string, Field>
  }
  return Object.entries(properties).map(
    ([name, field]) => `| \`${name}\` | ${where} | ${kindOf(field)} | ${field.description ?? ''} |`,
  )
}

interface Field {
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Field[]
  readonly items?: Field
}

/** Null counts as absent everywhere, and is not said again. */
function kindOf({ type, enum: words, anyOf, items }: Field): string {
  if (anyOf)
    return anyOf
      .filter((one) => one.type !== 'null')
      .map(kindOf)
      .join(' or ')
  if (words) return words.map((word) => `\`${word}\``).join(', ')
  if (type === 'array' && items) return `array of ${kindOf(items)}`
  return [type ?? []]
    .flat()
    .filter((one) => one !== 'null')
    .join(' or ')
}
