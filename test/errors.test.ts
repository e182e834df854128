import { readFileSync } from 'node:fs'
import t from 'tap'
import { fromFailure, isServiceError, ServiceError, systemCode, toFailure } from '../src/errors.js'

t.test('an error has a code, a status, and what is worth keeping', async (t) => {
  const cause = new Error('why')
  const error = new ServiceError('STORE_FULL', 'cannot write a at b: no space', { cause, path: 'a', needed: 5 })
  t.match(error, { name: 'ServiceError', code: 'STORE_FULL', status: 507, cause })
  t.same(error.detail, { path: 'a', needed: 5 })
  t.ok(error instanceof Error)
  const plain = new ServiceError('INTERNAL', 'x')
  t.same(plain.detail, {})
  t.notOk('cause' in plain)
})

t.test('the status that clients rely on', async (t) => {
  for (const [code, status] of [
    ['REQUEST_INVALID', 400],
    ['UNAUTHENTICATED', 401],
    ['FORBIDDEN', 403],
    ['NOT_FOUND', 404],
    ['BUSY', 409],
    ['TOO_LARGE', 413],
    ['TOO_MANY_REQUESTS', 429],
    ['INTERNAL', 500],
    ['UNAVAILABLE', 503],
  ] as const) {
    t.equal(new ServiceError(code, '').status, status, code)
  }
})

t.test('an error crosses a thread as a value', async (t) => {
  const error = new ServiceError('INTEGRITY', 'cannot read a at b: damaged', { cause: new Error('x'), path: 'a' })
  const failure = structuredClone(toFailure(error))
  t.same(failure, { code: 'INTEGRITY', message: 'cannot read a at b: damaged', detail: { path: 'a' } })
  const back = fromFailure(failure)
  t.match(back, { code: 'INTEGRITY', message: error.message, detail: { path: 'a' } })
  t.ok(back instanceof ServiceError)
  t.same(fromFailure({ code: 'TIMEOUT', message: 'm' }).detail, {})
})

t.test('what is no error of ours is INTERNAL', async (t) => {
  t.same(toFailure(new TypeError('bug')), { code: 'INTERNAL', message: 'bug' })
  t.same(toFailure('text'), { code: 'INTERNAL', message: 'text' })
  t.same(toFailure(undefined), { code: 'INTERNAL', message: 'undefined' })
})

t.test('narrowing', async (t) => {
  const error = new ServiceError('BUSY', '')
  t.ok(isServiceError(error))
  t.ok(isServiceError(error, 'NOT_FOUND', 'BUSY'))
  t.notOk(isServiceError(error, 'NOT_FOUND'))
  for (const other of [Object.assign(new Error('x'), { code: 'BUSY' }), { code: 'BUSY' }, null, undefined]) {
    t.notOk(isServiceError(other))
  }
})

t.test('the code of a system error', async (t) => {
  try {
    readFileSync('/nowhere/at/all')
  } catch (error) {
    t.equal(systemCode(error), 'ENOENT')
  }
  for (const other of [new Error('x'), Object.assign(new Error('x'), { code: 5 }), { code: 'ENOENT' }, null, 'x']) {
    t.equal(systemCode(other), undefined)
  }
})
