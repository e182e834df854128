import { z } from 'zod'
import * as answers from '../../src/http/answers.js'
import { endpoints } from '../../src/http/endpoints.js'

/** An answer as it came. */
export interface Given {
  readonly method: string
  /** Of the request, the query left out. */
  readonly path: string
  readonly status: number
  readonly type: string
  readonly text: string
}

/**
 * Holds an answer against what the description says of it, field by field: one that is not described is a failure of the test that got it.
 *
 * @throws with what does not fit
 */
export function checkDescribed({ method, path, status, type, text }: Given): void {
  const [plainType = ''] = type.split(';')
  const endpoint = endpoints.find((one) => one.method === method.toLowerCase() && fits(one.path, path))
  const described = endpoint?.answers[status]
  const where = `${method} ${path} answered ${status}`
  if (!described && status < 400) throw new Error(`${where}, which is not described`)
  const expectedType = described ? (described.type ?? 'application/json') : 'application/json'
  if (plainType !== expectedType) throw new Error(`${where} with ${type}, not ${expectedType}`)
  const schema = described ? described.schema : answers.error
  if (!schema) return
  const parsed = schema.safeParse(JSON.parse(text))
  if (!parsed.success) throw new Error(`${where}, not as it is described: ${z.prettifyError(parsed.error)}\n${text}`)
}

function fits(template: string, path: string): boolean {
  const [wanted, given] = [template.split('/'), path.replace(/\/$/, '').split('/')]
  return wanted.length === given.length && wanted.every((part, index) => part === '{id}' || part === given[index])
}
