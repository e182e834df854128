import { createHash, randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { type BatchFile, fileStates, pack } from '../../src/engine/batch.js'
import { Progress } from '../../src/engine/progress.js'
import { hiddenName } from '../../src/engine/stage-name.js'
import { type CopyTask, type TransferTask, transfer } from '../../src/engine/transfer.js'
import { LocalStore } from '../../src/stores/local.js'
import type { Copied, CopyOptions, Store } from '../../src/stores/store.js'
import { mountTmpfs } from '../support/mount.js'
import { asNobody } from '../support/nobody.js'

const operation = '0123456789ab'
const mib = 1 << 20

/** `copy` is the disks' own door, `small` that of whole small files, `stream` the way that every pair of stores has. */
const ways = ['copy', 'small', 'stream'] as const

interface Scene {
  readonly folder: string
  readonly progress: Progress
  readonly stores: Record<string, Store>
  /** Writes a file of the source, and answers how it is listed. */
  put(path: string, content?: string | Buffer): BatchFile
  target(path: string): string
  copy(files: readonly BatchFile[], more?: Partial<CopyTask>): ReturnType<typeof transfer>
  run(task: TransferTask): ReturnType<typeof transfer>
}

function scene(t: Test, way: (typeof ways)[number] = 'copy'): Scene {
  const folder = t.testdir({ from: {}, to: {} })
  const progress = new Progress()
  const to = new LocalStore(`${folder}/to`)
  closeDoors(to, way)
  const stores: Record<string, Store> = { from: new LocalStore(`${folder}/from`), to }
  const run = (task: TransferTask) =>
    transfer(task, async (name) => {
      const store = stores[name]
      if (!store) throw new Error(`no store ${name}`)
      return store
    })
  return {
    folder,
    progress,
    stores,
    run,
    target: (path) => `${folder}/to/${path}`,
    put: (path, content = path) => {
      mkdirSync(dirname(`${folder}/from/${path}`), { recursive: true })
      writeFileSync(`${folder}/from/${path}`, content)
      const { size, mtimeNs } = statSync(`${folder}/from/${path}`, { bigint: true })
      return { path, size: Number(size), mtimeNs, sha256: sha256(content) }
    },
    copy: (files, more = {}) =>
      run({
        kind: 'copy',
        from: 'from',
        to: 'to',
        fromPrefix: '',
        toPrefix: '',
        batch: pack(files),
        progress: progress.buffer,
        ...more,
      }),
  }
}

function closeDoors(store: Store, way: (typeof ways)[number]): void {
  if (way !== 'copy') Object.defineProperties(store, { copy: { value: undefined }, copyNow: { value: undefined } })
  if (way === 'stream') Object.defineProperty(store, 'writeSmall', { value: undefined })
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

/** Does something to the file each time that some of it has been read. */
class Restless extends LocalStore {
  readonly #meddle: (path: string) => void

  constructor(root: string, meddle: (path: string) => void) {
    super(root)
    this.#meddle = meddle
  }

  override copyNow(from: Store, path: string, to: string, options: CopyOptions): Copied | undefined {
    const onBytes = (bytes: number): void => {
      this.#meddle(`${from.url}/${path}`)
      options.onBytes?.(bytes)
    }
    return super.copyNow(from, path, to, { ...options, onBytes })
  }

  override async read(path: string): Promise<Readable> {
    this.#meddle(`${this.url}/${path}`)
    return super.read(path)
  }
}

/** The side that sees the file move is the target's in the disks' own door, the source's in a stream. */
function unrest(scene: Scene, way: (typeof ways)[number], meddle: (path: string) => void): void {
  if (way === 'copy') scene.stores.to = new Restless(`${scene.folder}/to`, meddle)
  else scene.stores.from = new Restless(`${scene.folder}/from`, meddle)
}

for (const way of ways) {
  t.test(`${way}: whole files with their hashes, below prefixes on both sides`, async (t) => {
    const here = scene(t, way)
    const files = [
      here.put('in/empty', ''),
      here.put('in/a b/é%20.parquet'),
      here.put('in/big', randomBytes(3 * mib + 1)),
    ]
    const batch = files.map((file) => ({ ...file, path: file.path.slice(3) }))
    const outcome = await here.copy(batch, { fromPrefix: 'in/', toPrefix: 'out/' })
    t.match(outcome, { failures: [], fatal: null, report: null })
    t.same(outcome.done, Uint8Array.of(1, 1, 1))
    t.same(outcome.last, {
      size: 3 * mib + 1,
      sha256: files[2]?.sha256,
      sourceMtimeNs: files[2]?.mtimeNs,
    })
    for (const { path } of batch)
      t.ok(readFileSync(here.target(`out/${path}`)).equals(readFileSync(`${here.folder}/from/in/${path}`)), path)
    t.same(
      [here.progress.read('files'), here.progress.read('bytes')],
      [3, files.reduce((sum, { size }) => sum + size, 0)],
    )
  })

  t.test(`${way}: a source that fails is an outcome, the others are copied`, async (t) => {
    const here = scene(t, way)
    const [first, gone, link, last] = ['a', 'b', 'c', 'd'].map((path) => here.put(path)) as [
      BatchFile,
      BatchFile,
      BatchFile,
      BatchFile,
    ]
    rmSync(`${here.folder}/from/b`)
    rmSync(`${here.folder}/from/c`)
    symlinkSync('a', `${here.folder}/from/c`)
    const outcome = await here.copy([first, gone, link, last])
    t.same(outcome.done, Uint8Array.of(1, 0, 0, 1))
    t.equal(outcome.fatal, null)
    t.match(outcome.failures, [
      { index: 1, failure: { code: 'STORE_NOT_FOUND' } },
      { index: 2, failure: { code: 'PATH_UNSAFE' } },
    ])
    t.same(readdirSync(here.target('')).sort(), ['a', 'd'])
    t.same([here.progress.read('files'), here.progress.read('bytes')], [2, 2])
  })

  t.test(`${way}: a disk that can not read`, async (t) => {
    const here = scene(t, way)
    // Address 0 is mapped in no process: a real EIO.
    here.stores.from = new LocalStore('/proc/self')
    const outcome = await here.copy([{ path: 'mem', size: 0, mtimeNs: 0n }])
    t.match(outcome, { fatal: null, failures: [{ index: 0, failure: { code: 'STORE_IO', detail: { verb: 'read' } } }] })
    t.same(readdirSync(here.target('')), [])
  })

  t.test(`${way}: what is not as recorded is refused and not counted`, async (t) => {
    const here = scene(t, way)
    const good = here.put('good', randomBytes(2 * mib))
    const wrong = { ...here.put('wrong', randomBytes(2 * mib)), sha256: 'b'.repeat(64) }
    const long = here.put('long', randomBytes(2 * mib))
    const short = here.put('short', randomBytes(2 * mib))
    const small = { ...here.put('small'), sha256: 'b'.repeat(64) }
    appendFileSync(`${here.folder}/from/long`, 'x')
    truncateSync(`${here.folder}/from/short`, mib)
    writeFileSync(here.target('wrong'), 'old content')
    const outcome = await here.copy([wrong, long, good, short, small], { recorded: true })
    t.same(outcome.done, Uint8Array.of(0, 0, 1, 0, 0))
    t.equal(outcome.fatal, null)
    t.same(
      outcome.failures.map(({ index, failure }) => [index, failure.code]),
      [
        [0, 'INTEGRITY'],
        [1, 'INTEGRITY'],
        [3, 'INTEGRITY'],
        [4, 'INTEGRITY'],
      ],
    )
    t.match(outcome.failures[0]?.failure.message, new RegExp(`from/wrong: .*SHA-256.* ${'b'.repeat(64)} was expected`))
    t.match(outcome.failures[2]?.failure.message, `it has ${mib} bytes`)
    t.same([here.progress.read('files'), here.progress.read('bytes')], [1, 2 * mib], 'the counters step back')
    t.same(readdirSync(here.target('')).sort(), ['good', 'wrong'])
    t.equal(readFileSync(here.target('wrong'), 'utf8'), 'old content', 'nothing is replaced before its proof')
  })

  t.test(`${way}: a target that fails ends the batch`, async (t) => {
    const here = scene(t, way)
    const files = [here.put('a'), here.put('big', randomBytes(3 * mib)), here.put('c')]
    const small = mountTmpfs(t, '1m')
    const full = new LocalStore(small)
    closeDoors(full, way)
    here.stores.to = full
    const outcome = await here.copy(files, { report: true })
    t.match(outcome, { failures: [], fatal: { code: 'STORE_FULL', detail: { verb: 'write' } } })
    t.same(outcome.done, Uint8Array.of(1, 0, 0))
    t.match(outcome.report, { entries: 1 }, 'what was copied before is told')
    t.same(readdirSync(small), ['a'])
    t.same([here.progress.read('files'), here.progress.read('bytes')], [1, 1])
  })

  t.test(`${way}: denied at the source is an outcome, denied at the target is the end`, async (t) => {
    const here = scene(t, way)
    const [secret, open] = [here.put('secret'), here.put('open')]
    chmodSync(`${here.folder}/from/secret`, 0o600)
    await asNobody(async () => {
      t.match(await here.copy([open]), { failures: [], fatal: { code: 'STORE_DENIED', detail: { verb: 'write' } } })
    })
    chmodSync(`${here.folder}/to`, 0o777)
    await asNobody(async () => {
      const outcome = await here.copy([secret, open])
      t.match(outcome, { fatal: null, failures: [{ index: 0, failure: { code: 'STORE_DENIED' } }] })
      t.same(outcome.done, Uint8Array.of(0, 1))
    })
  })
}

// A small file is read in one go: it stands still, or nobody can tell.
for (const way of ['copy', 'stream'] as const) {
  t.test(`${way}: a live file that moves is read again until it stands still`, async (t) => {
    const here = scene(t, way)
    const file = here.put('moving', 'x')
    let moves = 0
    unrest(here, way, (path) => {
      if (moves < 3) appendFileSync(path, 'y')
      moves += 1
    })
    const outcome = await here.copy([file], { live: true })
    t.match(outcome, { fatal: null, failures: [], last: { size: 4, sha256: sha256('xyyy') } })
    t.equal(moves, 4)
    t.equal(readFileSync(here.target('moving'), 'utf8'), 'xyyy')
    t.equal(here.progress.read('bytes'), 4, 'each byte is counted once')
  })

  t.test(`${way}: one that never stands still is given up; a file of a backup is not read again`, async (t) => {
    for (const [live, reads] of [
      [true, 6],
      [undefined, 1],
    ] as const) {
      const here = scene(t, way)
      const file = here.put('moving', randomBytes(mib + 5))
      let moves = 0
      unrest(here, way, (path) => {
        // In the disks' own door the file is seen twice a reading: it is larger than a block.
        appendFileSync(path, 'y')
        moves += 1
      })
      const outcome = await here.copy([file], live ? { live } : {})
      t.match(outcome, { fatal: null, failures: [{ index: 0, failure: { code: 'SOURCE_CHANGED' } }] })
      t.ok(moves >= reads && moves <= (reads + 1) * 2, `${moves} looks`)
      t.same(readdirSync(here.target('')), [])
      t.equal(here.progress.read('bytes'), 0)
    }
  })

  t.test(`${way}: a stop ends the batch, between files and in the middle of one`, async (t) => {
    const here = scene(t, way)
    const files = [here.put('a', randomBytes(3 * mib)), here.put('b')]
    let reads = 0
    unrest(here, way, () => {
      reads += 1
      here.progress.stop('CANCELLED')
    })
    const outcome = await here.copy(files, { live: true })
    t.match(outcome, { failures: [], fatal: { code: 'CANCELLED' } })
    t.equal(reads, 1)
    t.same(readdirSync(here.target('')), [])
    t.match(await here.copy(files), { done: Uint8Array.of(0, 0), fatal: { code: 'CANCELLED' } })
    t.equal(reads, 1, 'not even opened')
    t.same([here.progress.read('files'), here.progress.read('bytes')], [0, 0])
  })
}

t.test('a stop between two readings of a moving file', async (t) => {
  const here = scene(t)
  let reads = 0
  here.stores.to = new Restless(`${here.folder}/to`, (path) => {
    reads += 1
    appendFileSync(path, 'y')
    setTimeout(() => here.progress.stop('TIMEOUT'), 5)
  })
  const outcome = await here.copy([here.put('moving')], { live: true })
  t.match(outcome, { failures: [], fatal: { code: 'TIMEOUT' } })
  t.equal(reads, 1)
})

t.test('staged: under a hidden name, with the recorded time and owner, never over a file of that name', async (t) => {
  const here = scene(t)
  const file = { ...here.put('db/m/x.parquet'), mtimeNs: 1_700_000_000_123_456_000n }
  const task = { recorded: true, direct: true, hideFor: operation, owner: { uid: 4711, gid: 4712 } } as const
  t.match(await here.copy([file], task), { fatal: null, failures: [] })
  const staged = here.target(hiddenName(file.path, operation, 'part'))
  const { uid, gid, mtimeMs } = statSync(staged)
  t.same([uid, gid], [4711, 4712])
  t.ok(Math.abs(mtimeMs - 1_700_000_000_123.456) < 0.002)
  t.same(readdirSync(here.target('db/m')), [`.x.parquet.${operation}.part`])
  t.match(await here.copy([file], task), { fatal: { code: 'STORE_EXISTS' } }, 'the list names it twice')
  const timeless = { ...here.put('timeless'), mtimeNs: 0n }
  await here.copy([timeless], { recorded: true })
  t.ok(Date.now() - statSync(here.target('timeless')).mtimeMs < 60_000, 'without a time on record it is new')
})

t.test('one by one: a hidden name until it is proven; what a kill left under it is no obstacle', async (t) => {
  const here = scene(t)
  const [file, folder] = [here.put('db/a'), here.put('db/b')]
  mkdirSync(here.target('db/b'), { recursive: true })
  writeFileSync(here.target('db/a'), 'old')
  writeFileSync(here.target(hiddenName('db/a', operation, 'part')), 'half')
  const task = { recorded: true, direct: true, hideFor: operation, show: true } as const
  const wrong = { ...file, sha256: 'ab'.repeat(32) }
  t.match(await here.copy([wrong], task), { fatal: null, failures: [{ failure: { code: 'INTEGRITY' } }] })
  t.equal(readFileSync(here.target('db/a'), 'utf8'), 'old')
  t.match(await here.copy([file], task), { fatal: null, failures: [] })
  t.match(await here.copy([folder], task), {
    fatal: null,
    failures: [{ failure: { code: 'PATH_INVALID', message: /cannot write "db.*a folder has this name/ } }],
  })
  t.equal(readFileSync(here.target('db/a'), 'utf8'), readFileSync(`${here.folder}/from/db/a`, 'utf8'))
  t.same(readdirSync(here.target('db')).sort(), ['a', 'b'], 'nothing hidden is left')
})

t.test('a report tells what was copied, and nothing of what was not', async (t) => {
  const here = scene(t)
  const gone = { ...here.put('db/m/gone.parquet') }
  rmSync(`${here.folder}/from/db/m/gone.parquet`)
  const { report } = await here.copy([here.put('db/m/a.parquet'), gone, here.put('db/.arc-database')], { report: true })
  t.match(report, { entries: 2, tallies: [{ database: 'db', measurement: 'm', files: 1, bytes: 14 }] })
  t.match(report?.files, 'db/m/a.parquet')
  t.notMatch(report?.files, 'gone')
})

t.test('inspect: plain files in real folders pass, others are named', async (t) => {
  const here = scene(t)
  const paths = ['a/x', 'a/y', 'gone', 'link', 'pipe/z', 'onlink/x', 'blocked/x']
  for (const path of paths) here.put(path)
  rmSync(`${here.folder}/from/gone`)
  rmSync(`${here.folder}/from/link`)
  symlinkSync('a/x', `${here.folder}/from/link`)
  renameSync(`${here.folder}/from/pipe`, `${here.folder}/elsewhere`)
  symlinkSync('../elsewhere', `${here.folder}/from/pipe`)
  symlinkSync('/', here.target('onlink'))
  writeFileSync(here.target('blocked'), 'a file where a folder has to be')
  const task = { kind: 'inspect', operation: 'op', from: 'from', to: 'to', fromPrefix: '', toPrefix: '' } as const
  const batch = pack(paths.map((path) => ({ path, size: 0, mtimeNs: 0n })))
  const outcome = await here.run({ ...task, batch, progress: here.progress.buffer })
  t.same(outcome.done, Uint8Array.of(1, 1, 0, 0, 0, 0, 0))
  t.same(
    outcome.failures.map(({ index, failure }) => [paths[index], failure.code]),
    [
      ['gone', 'STORE_NOT_FOUND'],
      ['link', 'PATH_UNSAFE'],
      ['pipe/z', 'PATH_UNSAFE'],
      ['onlink/x', 'PATH_UNSAFE'],
      ['blocked/x', 'PATH_UNSAFE'],
    ],
  )
  here.progress.stop('INTERRUPTED')
  t.match(await here.run({ ...task, batch, progress: here.progress.buffer }), { fatal: { code: 'INTERRUPTED' } })
})

t.test('rename: staged files are shown, others hidden; one that fails does not keep the others', async (t) => {
  const here = scene(t)
  mkdirSync(here.target('db'))
  const paths = ['db/a', 'db/gone', 'db/b'].join('\0')
  for (const path of ['db/a', 'db/b']) {
    writeFileSync(here.target(path), 'old')
    writeFileSync(here.target(hiddenName(path, operation, 'part')), 'new')
  }
  const task = { kind: 'rename', store: 'to', paths, operation } as const
  for (const direction of ['show', 'hide'] as const) {
    const outcome = await here.run({ ...task, direction })
    t.match(outcome, { fatal: null, failures: [{ index: 1, failure: { code: 'STORE_NOT_FOUND' } }] })
    t.equal(outcome.failures.length, 1)
    const names = direction === 'show' ? ['a', 'b'] : [`.a.${operation}.replaced`, `.b.${operation}.replaced`]
    t.same(readdirSync(here.target('db')).sort(), names)
    for (const name of names) t.equal(readFileSync(here.target(`db/${name}`), 'utf8'), 'new')
  }
})

t.test('rename: what can not be shown leaves nothing hidden', async (t) => {
  const here = scene(t)
  mkdirSync(here.target('db/a'), { recursive: true })
  writeFileSync(here.target(hiddenName('db/a', operation, 'part')), 'new')
  const outcome = await here.run({ kind: 'rename', store: 'to', paths: 'db/a', operation, direction: 'show' })
  t.match(outcome, {
    fatal: null,
    failures: [{ failure: { code: 'PATH_INVALID', message: /a folder has this name/ } }],
  })
  t.same(readdirSync(here.target('db')), ['a'])
})

t.test('vacancy: a staged file whose name is a folder is named before anything is renamed', async (t) => {
  const here = scene(t)
  mkdirSync(here.target('db/a'), { recursive: true })
  writeFileSync(here.target('db/live'), 'old')
  const states = new Uint8Array([fileStates.done, fileStates.done, fileStates.done, 0])
  const paths = 'db/a\0db/live\0db/new\0db/a'
  const { failures, fatal } = await here.run({ kind: 'vacancy', store: 'to', paths, states })
  t.match({ failures, fatal }, { fatal: null, failures: [{ index: 0, failure: { code: 'PATH_INVALID' } }] })
  t.equal(failures.length, 1)
})

t.test('remove: files, or what was staged for them', async (t) => {
  const here = scene(t)
  const names = ['db/a', 'db/b', hiddenName('db/a', operation, 'part'), hiddenName('db/a', 'another', 'part')]
  mkdirSync(here.target('db'))
  for (const name of names) writeFileSync(here.target(name), '')
  const task = { kind: 'remove', store: 'to', paths: 'db/a\0db/gone' } as const
  t.match(await here.run({ ...task, hiddenFor: operation }), { fatal: null, failures: [] })
  t.same(readdirSync(here.target('db')).sort(), ['.a.another.part', 'a', 'b'])
  t.match(await here.run(task), { fatal: null })
  t.same(readdirSync(here.target('db')).sort(), ['.a.another.part', 'b'])
  t.match(await here.run({ ...task, paths: '../from' }), { fatal: { code: 'PATH_INVALID' } })
  t.ok(existsSync(`${here.folder}/from`))
})

t.test('a store that is not known is no way to fail a single file', async (t) => {
  const here = scene(t)
  const outcome = await here.copy([here.put('a')], { from: 'nowhere' })
  t.match(outcome, { done: new Uint8Array(), failures: [], fatal: { code: 'INTERNAL', message: 'no store nowhere' } })
})
