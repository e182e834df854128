import t, { type Test } from 'tap'
import { type BatchFile, pack } from '../../src/engine/batch.js'
import { Relisting } from '../../src/engine/relisting.js'

const day = 'db/m/2026/01/02'

function open(t: Test, folder = t.testdir({})): Relisting {
  const relisting = new Relisting(`${folder}/relisting.db`)
  t.teardown(() => relisting.close())
  return relisting
}

function file(name: string, mtimeNs: bigint, more: Partial<BatchFile> = {}): BatchFile {
  return { path: `${day}/03/${name}.parquet`, size: 5, mtimeNs, ...more }
}

function names(files: Iterable<BatchFile>): string[] {
  return [...files].map(({ path }) => path.slice(path.lastIndexOf('/') + 1, -'.parquet'.length)).sort()
}

t.test('what is held must be there in the same version', async (t) => {
  const relisting = open(t)
  const precise = 1_795_429_445_583_188_583n
  const [plain, tagged] = [file('a', precise), file('b', 2n, { etag: '"x"' })]
  relisting.add(pack([plain, tagged]))
  for (const wrong of [{ ...plain, size: 6 }, file('a', precise + 1n), file('none', precise), file('b', 2n)])
    t.notOk(relisting.mark('held', wrong))
  t.ok(relisting.mark('held', plain))
  t.same([...relisting.lacking(day)], [tagged], 'with its time to the nanosecond and its tag')
  t.ok(relisting.mark('held', tagged))
  t.same([...relisting.lacking(day)], [])
})

t.test('new files that matter: merged ones, and those not younger than what is held', async (t) => {
  const relisting = open(t)
  const other = { path: 'db/n/2026/01/02/03/x.parquet', size: 1, mtimeNs: 1n }
  relisting.add(
    pack([file('held', 5n), file('same', 5n), file('older', 4n), file('younger', 6n), file('bad', 1n), other]),
  )
  relisting.mark('held', file('held', 5n))
  relisting.mark('unreadable', file('bad', 1n))
  t.same(relisting.behind(day), { merged: false, late: true })
  t.same(relisting.behind('db/n/2026/01/02'), { merged: false, late: false }, 'nothing is older than nothing')
  t.same(relisting.behind('db/m/2026/01/0'), { merged: false, late: false })
  t.same(names(relisting.lacking(day, 'late')), ['older', 'same'])
  t.same(names(relisting.lacking(day)), ['bad', 'older', 'same', 'younger'])
  relisting.add(pack([{ ...other, path: 'db/n/2026/01/02/n_daily.parquet' }]))
  t.same(relisting.behind('db/n/2026/01/02'), { merged: true, late: false })
})

t.test('begins empty, also where an interrupted one was', async (t) => {
  const folder = t.testdir({})
  open(t, folder).add(pack([file('a', 1n)]))
  t.same([...open(t, folder).lacking(day)], [])
})
