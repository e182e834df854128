import t from 'tap'
import { differences, planIdOf, planIdPattern } from '../../src/engine/restore-plan.js'
import { plan } from '../http/scene.js'
import { restoreOf } from './scene.js'

const basis = {
  request: restoreOf(plan.backupId),
  target: 'local',
  manifestSha256: 'a'.repeat(64),
  liveSha256: 'b'.repeat(64),
}
const id = planIdOf(plan, basis)

t.test('an id says what the plan said, and nothing that changes by itself', (t) => {
  t.match(id, planIdPattern)
  t.same(differences(id, id), [])
  const again = { ...basis, request: { ...basis.request, dryRun: true as const, planId: id, target: 'local' } }
  const space = { ...plan.space, freeBytes: 5, sufficient: false }
  t.equal(planIdOf({ ...plan, space, warnings: ['x'] }, again), id)
  const names = (databases: string[]) => planIdOf(plan, { ...basis, request: { ...basis.request, databases } })
  t.equal(names(['a', 'b']), names(['b', 'a']))
  t.not(names(['a']), id)
  t.end()
})

t.test('what is different is named', (t) => {
  const files = { ...plan.files, new: { files: 3, bytes: 30 }, kept: { files: 1, bytes: 7 } }
  t.same(differences(id, planIdOf({ ...plan, files }, basis)), [
    'new files: 1 when it was planned, 3 now',
    'new files: 10 bytes when it was planned, 30 bytes now',
    'files kept: 0 when it was planned, 1 now',
    'files kept: 0 bytes when it was planned, 7 bytes now',
  ])
  const mixed = { ...plan, missingFiles: 2, mixedPartitions: { count: 1, sample: ['x'] } }
  t.same(differences(id, planIdOf(mixed, basis)), [
    'partitions with compacted and raw files: 0 when it was planned, 1 now',
    'files that the backup lacks: 0 when it was planned, 2 now',
  ])
  const configuration = { ...plan.configuration, action: 'replace' as const }
  t.same(differences(id, planIdOf({ ...plan, configuration }, basis)), ['what happens to databases and configuration'])
  t.same(differences(id, planIdOf(plan, { ...basis, liveSha256: 'c'.repeat(64) })), [
    'as many live files as planned, but not the same ones',
  ])
  for (const other of [
    { manifestSha256: 'c'.repeat(64) },
    { target: 'other' },
    { request: restoreOf(plan.backupId, { mode: 'replace' }) },
    { request: restoreOf(plan.backupId, { staging: 'file' }) },
  ]) {
    t.same(differences(id, planIdOf(plan, { ...basis, ...other })), [
      'the plan was made for another request, or for another state of the backup',
    ])
  }
  t.end()
})

t.test('what is no id is refused', (t) => {
  for (const wrong of ['', 'x', `${id}.x`, id.slice(1), id.replace('.', '')]) {
    t.throws(() => differences(wrong, id), { code: 'REQUEST_INVALID' }, wrong)
  }
  t.end()
})
