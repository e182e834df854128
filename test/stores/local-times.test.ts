import { mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { changeTimes, unknownTime } from '../../src/stores/local-times.js'
import { mountTmpfs } from '../support/mount.js'

/** Longer than what counts as too fresh. */
const aging = 2200

t.test('whatever comes, goes or is replaced in a folder changes its time, and nothing else does', async (t) => {
  const root = t.testdir({ day: { a: 'a', b: 'b' }, other: { c: 'c' }, empty: {} })
  const folders = ['', 'day', 'other', 'empty']
  t.same(changeTimes(root, folders), BigInt64Array.of(-1n, -1n, -1n, -1n), 'what is fresh could change again unseen')
  await sleep(aging)
  const before = changeTimes(root, folders)
  t.same(before?.[1], statSync(`${root}/day`, { bigint: true }).ctimeNs)
  t.same(changeTimes(root, folders), before)
  writeFileSync(`${root}/other/c`, 'in place')
  t.same(changeTimes(root, folders), before, 'a file that is rewritten in place is no change of its folder')

  writeFileSync(`${root}/new`, 'replaces')
  renameSync(`${root}/new`, `${root}/day/a`)
  rmSync(`${root}/other/c`)
  mkdirSync(`${root}/empty/folder`)
  for (const folder of folders) utimesSync(`${root}/${folder}`, 0, 0)
  t.same(changeTimes(root, folders), BigInt64Array.of(-1n, -1n, -1n, -1n), 'also where somebody sets the time back')
  await sleep(aging)
  const after = changeTimes(root, folders)
  for (const [index, folder] of folders.entries()) t.not(after?.[index], before?.[index], folder)
})

t.test('where nothing can be told', async (t) => {
  const root = t.testdir({ day: {}, mounted: {} })
  await sleep(aging)
  t.equal(changeTimes('/proc', ['self']), undefined, 'a file system that is not known to stamp folders')
  t.equal(changeTimes(`${root}/gone`, ['']), undefined)
  t.same(changeTimes(root, ['gone']), BigInt64Array.of(unknownTime))
  const inside = mountTmpfs(t, '1m')
  await sleep(aging)
  t.not(changeTimes(inside, [''])?.[0], unknownTime)
  const foreign = changeTimes('/', ['proc'])
  t.ok(foreign === undefined || foreign[0] === unknownTime, 'another file system below')
})
