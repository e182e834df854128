import { statSync } from 'node:fs'
import t from 'tap'
import { arcBackupId, copyFixture } from './support/fixture.js'
import { runProgram, startProgram } from './support/process.js'

t.test('the arguments go in, the exit code comes out', async (t) => {
  const { exitCode, argv, umask } = { exitCode: process.exitCode, argv: process.argv, umask: process.umask() }
  process.argv = [process.execPath, 'arc-backup', 'list', '--config', '/nowhere/arc.toml']
  await import('../src/main.js')
  const found = { exitCode: process.exitCode, umask: process.umask(umask) }
  process.argv = argv
  process.exitCode = exitCode
  t.same(found, { exitCode: 2, umask: 0o077 })
})

t.test('what it makes is for nobody else', async (t) => {
  const folder = t.testdir({})
  copyFixture(folder)
  t.match(await runProgram(t, ['backup'], { cwd: folder }), { code: 0 })
  for (const made of ['data/arc-backup', 'data/arc-backup/journal.db']) {
    t.equal(statSync(`${folder}/${made}`).mode & 0o077, 0, made)
  }
})

t.test('a backup goes on when whoever read its output is gone', async (t) => {
  const folder = t.testdir({})
  copyFixture(folder)
  const { child, ended } = startProgram(t, ['backup'], { cwd: folder })
  child.stdout?.destroy()
  child.stderr?.destroy()
  t.match(await ended, { code: 0 })
  const { stdout } = await runProgram(t, ['list'], { cwd: folder })
  t.match(stdout, new RegExp(`\\nbackup-.*\\n${arcBackupId}`))
})
