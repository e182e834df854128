import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import t from 'tap'
import { LocalStore } from '../../src/stores/local.js'
import { shareBlocks } from '../../src/stores/local-clone.js'
import { copyLocalFile } from '../../src/stores/local-copy.js'
import { mountImage, mountTmpfs } from '../support/mount.js'
import { sha256 } from './contract.js'

const size = 32 << 20

function used(folder: string): number {
  execFileSync('sync', ['-f', folder])
  const { blocks, bfree, bsize } = statfsSync(folder)
  return (blocks - bfree) * bsize
}

for (const kind of ['xfs', 'btrfs'] as const) {
  t.test(`on ${kind} a copy that shares its source's blocks is whole and takes no room`, async (t) => {
    const root = mountImage(t, kind)
    const content = randomBytes(size)
    const [from, to] = ['from', 'to'].map((name) => ({ root: `${root}/${name}`, path: 'a/file' })) as [
      { root: string; path: string },
      { root: string; path: string },
    ]
    mkdirSync(`${from.root}/a`, { recursive: true })
    writeFileSync(`${from.root}/a/file`, content, { mode: 0o644 })
    const before = used(root)
    const counted: number[] = []
    const onBytes = (bytes: number): void => void counted.push(bytes)
    t.match(copyLocalFile(from, to, { share: true, direct: true, onBytes }), { size, sha256: sha256(content) })
    t.equal(
      counted.reduce((sum, bytes) => sum + bytes, 0),
      size,
    )
    t.ok(used(root) - before < size / 16, `${used(root) - before} bytes`)
    t.equal(statSync(`${to.root}/a/file`).mode & 0o777, 0o600)

    writeFileSync(`${from.root}/a/file`, randomBytes(4096), { flag: 'r+' })
    t.ok(readFileSync(`${to.root}/a/file`).equals(content), 'what becomes of the source is its own')
    const other = { ...to, path: 'other' }
    t.throws(() => copyLocalFile(from, other, { share: true, sha256: sha256(content) }), { code: 'INTEGRITY' })
    const seen = { size, mtimeNs: 1n }
    t.throws(() => copyLocalFile(from, other, { share: true, direct: true, seen }), { code: 'SOURCE_CHANGED' })
    t.same(readdirSync(to.root), ['a'], 'nothing is left of what failed')
  })

  t.test(`${kind} is known by one file that is tried, of which nothing stays`, async (t) => {
    const root = mountImage(t, kind)
    const store = (name: string): LocalStore => new LocalStore(`${root}/${name}`)
    mkdirSync(`${root}/from`)
    writeFileSync(`${root}/from/file`, 'content')
    t.equal(await store('to').sharesBlocks(store('from'), 'file', 'backup/spare'), true)
    t.same(readdirSync(`${root}/to`), [])
    t.equal(await store('to').sharesBlocks(store('from'), 'gone', 'backup/spare'), false)
    const elsewhere = new LocalStore(mountTmpfs(t, '1m'))
    t.equal(await elsewhere.sharesBlocks(store('from'), 'file', 'spare'), false, 'another file system')
    t.same(readdirSync(elsewhere.url), [])
  })
}

t.test('where nothing can be shared a file is copied as ever', async (t) => {
  const root = t.testdir({ from: { file: 'content' }, to: {} })
  const store = (name: string): LocalStore => new LocalStore(`${root}/${name}`)
  t.equal(await new LocalStore(mountTmpfs(t, '1m')).sharesBlocks(store('from'), 'file', 'spare'), false)
  chmodSync(`${root}/from/file`, 0o644)
  utimesSync(`${root}/from/file`, 1_700_000_000, 1_700_000_000)
  const elsewhere = { root: mountTmpfs(t, '1m'), path: 'file' }
  const copied = copyLocalFile({ root: `${root}/from`, path: 'file' }, elsewhere, { share: true, direct: true })
  t.match(copied, { size: 7, sha256: sha256('content') })
  t.equal(readFileSync(`${elsewhere.root}/file`, 'utf8'), 'content')
  t.equal(statSync(`${elsewhere.root}/file`).mode & 0o777, 0o600)
})

t.test('a named pipe is not waited for', async (t) => {
  const root = t.testdir({ target: '' })
  execFileSync('mkfifo', [`${root}/pipe`])
  const [source, target] = [openSync(`${root}/pipe`, 'r+'), openSync(`${root}/target`, 'r+')]
  t.equal(shareBlocks(source, target), false)
  closeSync(source)
  closeSync(target)
})
