import t from 'tap'
import type { Interrupted } from '../../src/engine/journal.js'
import type { OperationKind } from '../../src/engine/operation.js'
import { planAgain } from '../../src/engine/plan.js'
import type { Target, Targets } from '../../src/engine/targets.js'

const target = { name: 'nas' } as Target
const targets = { get: () => target } as unknown as Targets
const interrupted = (operation: OperationKind): Interrupted =>
  ({
    status: { operation, operationId: 'a1', backupId: 'backup-20260102-030405-abcdef01', target: 'nas' },
    request: { backupId: 'backup-20260102-030405-abcdef01' },
    caller: 'anna',
  }) as unknown as Interrupted

t.test('what was interrupted goes on under its own ids; who may ask for it is not known any more', async (t) => {
  for (const kind of ['backup', 'restore'] as const) {
    const { id, backupId, caller, ...plan } = planAgain(targets, interrupted(kind))
    t.same(
      { id, backupId, caller },
      {
        id: 'a1',
        backupId: 'backup-20260102-030405-abcdef01',
        caller: { name: 'anna', credential: null },
      },
    )
    t.match(plan, { kind, target })
  }
})

t.test('other operations are not resumed', async (t) => {
  for (const kind of ['verify', 'prune'] as const)
    t.throws(() => planAgain(targets, interrupted(kind)), {
      code: 'REQUEST_INVALID',
      message: `a ${kind} is not resumed`,
    })
})
