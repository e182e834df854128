import t from 'tap'
import { exitCodeOf, exitCodeOfOutcome, exitCodes } from '../../src/cli/exit-code.js'
import { ServiceError } from '../../src/errors.js'

t.test('the codes that scripts rely on', async (t) => {
  t.same(exitCodes, { done: 0, failed: 1, usage: 2, busy: 3, gaps: 4 })
})

t.test('of an error', async (t) => {
  t.equal(exitCodeOf(new ServiceError('CONFIG_INVALID', '')), 2)
  t.equal(exitCodeOf(new ServiceError('REQUEST_INVALID', '')), 2)
  t.equal(exitCodeOf(new ServiceError('BUSY', '')), 3)
  for (const code of ['NOT_FOUND', 'UNAUTHENTICATED', 'STORE_FULL', 'UNAVAILABLE', 'INTERNAL'] as const) {
    t.equal(exitCodeOf(new ServiceError(code, '')), 1, code)
  }
  for (const thrown of [new Error('x'), Object.assign(new Error('x'), { code: 'BUSY' }), 'x', undefined]) {
    t.equal(exitCodeOf(thrown), 1, String(thrown))
  }
})

t.test('of an outcome', async (t) => {
  t.equal(exitCodeOfOutcome('completed'), 0)
  t.equal(exitCodeOfOutcome('gaps'), 4)
  for (const outcome of ['failed', 'interrupted', 'cancelled', 'idle', null, undefined]) {
    t.equal(exitCodeOfOutcome(outcome), 1, String(outcome))
  }
})
