import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { LocalStore } from '../../src/stores/local.js'

const built = fileURLToPath(new URL('../../src/stores/local.js', import.meta.url))

/** What a sync of `folder/root` brings to stable storage, by strace, where only this program is to be found. */
function synced(folder: string, program: string | null, options = {}): { paths: string[]; error: string } {
  const [bin, log] = [`${folder}/bin`, `${folder}/trace`]
  mkdirSync(bin, { recursive: true })
  if (program !== null) writeFileSync(`${bin}/sync`, program, { mode: 0o755 })
  const script = `const { LocalStore } = await import('${built}'); await new LocalStore('${folder}/root').sync(${JSON.stringify(options)})`
  const strace = ['-f', '-y', '-e', 'trace=fsync', '-o', log, process.execPath, '--input-type=module', '-e', script]
  const { stderr } = spawnSync('/usr/bin/strace', strace, { env: { PATH: bin }, encoding: 'utf8' })
  const paths = [...readFileSync(log, 'utf8').matchAll(/fsync\(\d+<([^>]+)>/g)].map(([, path = '']) => path)
  return { paths, error: stderr }
}

const busybox = '#!/bin/sh\necho "sync: unrecognized option: f" >&2\nexit 1\n'
const killed = '#!/bin/sh\nkill -9 $$\n'
const broken = '#!/bin/sh\necho "sync: error syncing: Input/output error" >&2\nexit 1\n'

for (const [name, program] of [
  ['no sync at all', null],
  ['a sync without -f', busybox],
  ['a sync that is killed', killed],
] as const) {
  t.test(`${name}: each file and folder is brought to the disk by itself`, async (t) => {
    const folder = t.testdir({})
    const root = `${folder}/root`
    mkdirSync(`${root}/one/a/b`, { recursive: true })
    mkdirSync(`${root}/two`)
    for (const file of ['one/x', 'one/a/y', 'one/a/b/z', 'two/other']) writeFileSync(`${root}/${file}`, file)
    const all = ['', '/one', '/one/x', '/one/a', '/one/a/y', '/one/a/b', '/one/a/b/z', '/two', '/two/other']
    const { paths, error } = synced(folder, program)
    t.equal(error, '')
    t.same(paths.filter((path) => path.startsWith(root)).sort(), all.map((path) => root + path).sort())
    t.ok(paths.includes(folder), 'and the folders above: the root may be new')
    const below = synced(folder, program, { below: 'one' }).paths.filter((path) => path.startsWith(root))
    t.same(
      below.sort(),
      all
        .filter((path) => !path.startsWith('/two'))
        .map((path) => root + path)
        .sort(),
    )
    t.same(synced(folder, program, { ahead: true }).paths, [], 'nothing is done twice')
    t.equal(synced(folder, program, { below: 'gone' }).error, '', 'what is not there needs no sync')
  })
}

t.test('an error of the disk is one', async (t) => {
  const { paths, error } = synced(t.testdir({ root: {} }), broken)
  t.same(paths, [])
  t.match(error, /cannot sync.*Input\/output error/s)
})

t.test('with coreutils one call does it', async (t) => {
  await t.resolves(new LocalStore(t.testdir({ a: 'x' })).sync())
})
