import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import t, { type Test } from 'tap'
import { LocalStore } from '../../src/stores/local.js'
import { copyLocalFile } from '../../src/stores/local-copy.js'
import { mountTmpfs } from '../support/mount.js'
import { asNobody } from '../support/nobody.js'
import { sha256 } from './contract.js'

function scene(t: Test, content: Buffer | string) {
  const root = t.testdir({ from: {}, to: {} })
  writeFileSync(`${root}/from/file`, content)
  const [from, to] = [
    { root: `${root}/from`, path: 'file' },
    { root: `${root}/to`, path: 'deep/er/file' },
  ]
  const left = (): string[] =>
    readdirSync(`${root}/to`, { recursive: true, encoding: 'utf8' }).filter((path) =>
      statSync(`${root}/to/${path}`).isFile(),
    )
  return { root, from, to, left, copy: `${root}/to/deep/er/file` }
}

t.test('content, hash, time, mode', async (t) => {
  for (const size of [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 17]) {
    const content = randomBytes(size)
    for (const direct of [true, false]) {
      const { from, to, copy, left } = scene(t, content)
      utimesSync(`${from.root}/file`, 1_700_000_000.123456, 1_700_000_000.123456)
      let counted = 0
      const mtimeNs = statSync(`${from.root}/file`, { bigint: true }).mtimeNs
      const options = {
        size,
        sha256: sha256(content),
        mtimeNs,
        onBytes: (bytes: number) => {
          counted += bytes
        },
        ...(direct && { direct: true as const }),
      }
      t.same(copyLocalFile(from, to, options), { size, sha256: sha256(content), sourceMtimeNs: 0n }, 'nobody looked')
      t.ok(readFileSync(copy).equals(content), `${size} bytes`)
      t.equal(counted, size)
      t.ok(Math.abs(statSync(copy).mtimeMs - 1_700_000_000_123.456) < 0.002, 'to the microsecond')
      t.equal(statSync(copy).mode & 0o777, 0o600)
      t.same(left(), ['deep/er/file'])
    }
  }
})

t.test('what is not as recorded leaves nothing', async (t) => {
  const { from, to, left } = scene(t, 'content')
  const wrong = { code: 'INTEGRITY', detail: { verb: 'read' } }
  t.throws(() => copyLocalFile(from, to, { size: 6, direct: true }), wrong)
  t.throws(() => copyLocalFile(from, to, { size: 8 }), wrong)
  t.throws(() => copyLocalFile(from, to, { sha256: sha256('other'), direct: true }), {
    ...wrong,
    message: /SHA-256 is ed7002b4/,
  })
  t.throws(() => copyLocalFile(from, to, { sha256: sha256('other') }), wrong)
  t.same(left(), [])
})

t.test('a file that changes while it is read', async (t) => {
  const size = (3 << 20) + 5
  const changes: Record<string, (path: string) => void> = {
    grows: (path) => appendFileSync(path, 'more'),
    shrinks: (path) => truncateSync(path, 2 << 20),
    'is touched': (path) => utimesSync(path, 1, 1),
    'is rewritten': (path) => writeFileSync(path, randomBytes(size)),
  }
  for (const [name, change] of Object.entries(changes)) {
    const { from, to, left } = scene(t, randomBytes(size))
    let blocks = 0
    const onBytes = (): void => {
      blocks += 1
      if (blocks === 1) change(`${from.root}/file`)
    }
    t.throws(() => copyLocalFile(from, to, { onBytes, direct: true }), { code: 'SOURCE_CHANGED' }, name)
    t.same(left(), [])
  }
})

t.test('who counts the bytes may end the copy', async (t) => {
  const { from, to, left } = scene(t, randomBytes(3 << 20))
  const onBytes = (): never => {
    throw new Error('enough')
  }
  t.throws(() => copyLocalFile(from, to, { onBytes }), { message: 'enough' })
  t.same(left(), [])
})

t.test('links, pipes, devices and folders are refused, and nothing waits for a pipe', async (t) => {
  const { from, to, left } = scene(t, 'x')
  symlinkSync('/etc/passwd', `${from.root}/link`)
  execFileSync('mkfifo', [`${from.root}/pipe`])
  mkdirSync(`${from.root}/folder`)
  for (const path of ['link', 'pipe', 'folder']) {
    t.throws(() => copyLocalFile({ ...from, path }, to, {}), { code: 'PATH_UNSAFE' }, path)
  }
  t.throws(() => copyLocalFile({ root: '/dev', path: 'zero' }, to, {}), { code: 'PATH_UNSAFE' })
  t.throws(() => copyLocalFile({ ...from, path: 'missing' }, to, {}), {
    code: 'STORE_NOT_FOUND',
    message: /does not exist/,
  })
  t.same(left(), [])
})

t.test('a file that is there is replaced at once, or not at all where it is written under its own name', async (t) => {
  const { from, to, copy } = scene(t, 'new')
  mkdirSync(`${to.root}/deep/er`, { recursive: true })
  writeFileSync(copy, 'old')
  t.throws(() => copyLocalFile(from, to, { direct: true }), { code: 'STORE_EXISTS', detail: { verb: 'write' } })
  t.equal(readFileSync(copy, 'utf8'), 'old')
  copyLocalFile(from, to, {})
  t.equal(readFileSync(copy, 'utf8'), 'new')
})

t.test('owner of files and of new folders', async (t) => {
  const { from, to } = scene(t, 'x')
  copyLocalFile(from, to, { owner: { uid: 4711, gid: 4712 }, direct: true })
  for (const path of ['deep', 'deep/er', 'deep/er/file']) {
    const { uid, gid } = statSync(`${to.root}/${path}`)
    t.same([uid, gid], [4711, 4712], path)
  }
  t.equal(statSync(to.root).uid, 0, 'a folder that was there keeps its own')
})

t.test('whose fault it is: the source may be skipped, the target may not', async (t) => {
  const { from, to } = scene(t, randomBytes(200_000))
  const small = mountTmpfs(t, '64k')
  t.throws(() => copyLocalFile(from, { root: small, path: 'x/file' }, {}), {
    code: 'STORE_FULL',
    detail: { verb: 'write' },
  })
  t.same(readdirSync(`${small}/x`), [])
  chmodSync(`${from.root}/file`, 0o600)
  await asNobody(async () => {
    t.throws(() => copyLocalFile(from, to, {}), { code: 'STORE_DENIED', detail: { verb: 'read' } })
  })
  chmodSync(`${from.root}/file`, 0o644)
  await asNobody(async () => {
    t.throws(() => copyLocalFile(from, to, {}), { code: 'STORE_DENIED', detail: { verb: 'write' } })
  })
})

t.test('no file stays open, however a copy ends', async (t) => {
  const { from, to } = scene(t, randomBytes(2 << 20))
  const open = (): number => readdirSync('/proc/self/fd').length
  const before = open()
  for (let turn = 0; turn < 20; turn += 1) {
    copyLocalFile(from, to, {})
    t.throws(() => copyLocalFile(from, to, { sha256: sha256('other') }))
    t.throws(() => copyLocalFile(from, to, { direct: true }))
    t.throws(() => copyLocalFile({ ...from, path: 'missing' }, to, {}))
  }
  t.equal(open(), before)
})

t.test('the store gives its door to another store of its kind only', async (t) => {
  const { from, to } = scene(t, 'x')
  const [source, target] = [new LocalStore(from.root), new LocalStore(to.root)]
  t.match(await target.copy(source, 'file', 'copied', {}), { size: 1, sha256: sha256('x') })
  const other = Object.create(source, {}) as LocalStore
  t.ok(await target.copy(other, 'file', 'again', {}), 'a subclass is of its kind')
  t.equal(await target.copy({ ...source, url: 'elsewhere' } as unknown as LocalStore, 'file', 'no', {}), undefined)
})
