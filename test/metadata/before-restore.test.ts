import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { keepFileBeforeRestore } from '../../src/metadata/before-restore.js'

t.test('each earlier state gets its own time as a suffix and none is lost', async (t) => {
  const dir = t.testdir({ file: '1' })
  const time = new Date('2026-03-04T05:06:07.890Z')
  for (const text of ['1', '2', '3', '4']) {
    writeFileSync(`${dir}/file`, text)
    keepFileBeforeRestore(`${dir}/file`)
    utimesSync(`${dir}/file.before-restore`, time, time)
  }
  const kept = ['', '.20260304T050607Z-3', '.20260304T050607Z-2', '.20260304T050607Z'].map(
    (end) => `file.before-restore${end}`,
  )
  t.same(
    kept.map((name) => readFileSync(`${dir}/${name}`, 'utf8')),
    ['4', '3', '2', '1'],
  )
  t.equal(readdirSync(dir).length, 5)
})

t.test('a WAL goes with its file', async (t) => {
  const dir = t.testdir({ file: 'old', 'file-wal': 'old wal' })
  t.equal(keepFileBeforeRestore(`${dir}/file`), `${dir}/file.before-restore`)
  const time = new Date('2026-03-04T05:06:07Z')
  utimesSync(`${dir}/file.before-restore`, time, time)
  writeFileSync(`${dir}/file-wal`, 'new wal')
  keepFileBeforeRestore(`${dir}/file`)
  t.equal(readFileSync(`${dir}/file.before-restore.20260304T050607Z-wal`, 'utf8'), 'old wal')
  t.equal(readFileSync(`${dir}/file.before-restore-wal`, 'utf8'), 'new wal')
  t.equal(statSync(`${dir}/file.before-restore-wal`).mode & 0o777, 0o600)
})
