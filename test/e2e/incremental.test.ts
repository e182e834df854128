import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readFileSync, statSync, utimesSync, writeFileSync, writeSync } from 'node:fs'
import fastGlob from 'fast-glob'
import t, { type Test } from 'tap'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import { type Kind, kinds, placeMaker } from '../support/configured-place.js'
import { arcBackupId, copyFixture } from '../support/fixture.js'
import type { Place } from '../support/place.js'
import { type Json, startTestService, type TestService } from '../support/service.js'
import { hashTree } from '../support/tree.js'

// The second backup takes what has not changed from the first one: on each kind of store, as an operator sees it and as another client does.

t.setTimeout(600_000)
const minio = await startMinio(t)
const azurite = await Azurite.start(t)
const makePlace = placeMaker(minio, azurite)

const names = Array.from({ length: 40 }, (_, index) => `db/m${index % 3}/2026/01/03/0${index % 4}/f ${index}.parquet`)
const large = 'db/m0/2026/01/03/07/large.parquet'

interface Ground extends TestService {
  readonly source: Place
  readonly target: Place
  backUp(request?: Json): Promise<Json>
  /** The backup's data files are these, byte for byte, and a close look finds nothing wrong. */
  isWhole(backup: Json, files: Record<string, string>): Promise<void>
}

async function prepare(t: Test, source: Kind, target: Kind, lines: readonly string[] = []): Promise<Ground> {
  const folder = t.testdir({})
  copyFixture(folder)
  const [from, to] = [await makePlace(t, source), await makePlace(t, target)]
  const config = [
    ...['[auth]', 'enabled = true', 'db_path = "./data/arc.db"'],
    ...['[storage]', `backend = "${source}"`, ...from.lines],
    ...['[backup]', 'local_path = ""', 'default_target = "there"', ...lines],
    ...['[backup.targets.there]', `type = "${target}"`, ...to.lines],
  ]
  writeFileSync(`${folder}/arc.toml`, config.join('\n'))
  for (const name of names) await from.place.put(name, Buffer.from(`first ${name}`))
  await from.place.put('db/.arc-database', Buffer.from('{}'))
  await from.place.put(large, randomBytes(9 << 20))
  const service = await startTestService(t, { folder })
  const backUp: Ground['backUp'] = async (request = {}) => {
    const backup = await service.run('', { include_metadata: false, ...request })
    t.match(backup, { outcome: 'completed', skipped_files: 0, error: undefined })
    return backup
  }
  const isWhole: Ground['isWhole'] = async ({ backup_id: id }, files) => {
    const kept = await to.place.tree()
    const prefix = `${id}/data/`
    const data = Object.entries(kept).flatMap(([path, hash]) =>
      path.startsWith(prefix) ? [[path.slice(prefix.length), hash]] : [],
    )
    t.same(Object.fromEntries(data), files)
    t.equal((await verify(service, String(id))).verified, 'full')
  }
  return { ...service, source: from.place, target: to.place, backUp, isWhole }
}

async function verify({ call, service }: TestService, id: string): Promise<Json> {
  const { json } = await call('POST', `/${id}/verify`, { level: 'full' })
  await service.coordinator.idle()
  for (;;) {
    const found = (await call('GET', `/operations/${json.operation_id}`)).json
    if (found.status !== 'running') return found
  }
}

async function live({ source }: Ground): Promise<Record<string, string>> {
  const tree = await source.tree()
  delete tree['.arc-backup.lock.json']
  return tree
}

const pairs: [Kind, Kind][] = [
  ...kinds.map((kind): [Kind, Kind] => ['local', kind]),
  ['s3', 's3'],
  ['azure', 'azure'],
  ['s3', 'local'],
]
for (const [source, target] of pairs) {
  t.test(
    `${source} to ${target}: what has not changed is taken over, and nothing hangs on the first backup`,
    async (t) => {
      const ground = await prepare(t, source, target)
      const first = await ground.backUp()
      t.match(first, { processed_files: 42, reused_files: 0 })
      const before = await live(ground)

      await ground.source.put(names[0] ?? '', Buffer.from(`again ${names[0]}`))
      await ground.source.put('db/m9/2026/01/03/00/new.parquet', Buffer.from('new'))
      await ground.source.remove(names[1] ?? '')
      const second = await ground.backUp()
      t.match(second, { processed_files: 42, total_files: 42, reused_files: 40 })
      t.equal(second.processed_bytes, second.total_bytes)
      await ground.isWhole(second, await live(ground))
      const backups = (await ground.call('GET', '')).json.backups as Json[]
      t.match(backups[0], { backup_id: second.backup_id, reused_files: 40, backup_type: 'full' })

      const third = await ground.backUp({ incremental: false })
      t.match(third, { processed_files: 42, reused_files: 0 })
      const fourth = await ground.backUp()
      t.match(fourth, { reused_files: 42 })

      await ground.isWhole(first, before)
      for (const { backup_id: id } of [first, third, fourth])
        t.match(await ground.call('DELETE', `/${id}`), { status: 200 })
      await ground.isWhole(second, await live(ground))
      const now = await live(ground)
      for (const path of Object.keys(now)) await ground.source.remove(path)
      const restored = await ground.run('/restore', { backup_id: second.backup_id, confirm: true })
      t.match(restored, { outcome: 'completed', verified: true, missing_files: 0 })
      t.same(await live(ground), now)
      t.same(minio.uploads(), [])
    },
  )
}

t.test('on local disk an unchanged file takes no room', async (t) => {
  const { backUp, folder, ...ground } = await prepare(t, 'local', 'local')
  await backUp()
  const second = await backUp()
  t.match(await ground.target.tree(), { [`${second.backup_id}/data/${large}`]: String })
  const paths = fastGlob.globSync(`${folder}/*/backup-*/data/${large}`)
  t.equal(paths.length, 2)
  const [one, other] = paths.map((path) => statSync(path).ino)
  t.equal(one, other)
})

t.test('nothing is taken from a backup that is known to be damaged', async (t) => {
  const ground = await prepare(t, 'local', 'local')
  const first = await ground.backUp()
  const path = `${first.backup_id}/data/${names[0]}`
  const content = await ground.target.get(path)
  content[0] = (content[0] ?? 0) ^ 1
  await ground.target.put(path, content)
  t.match(await verify(ground, String(first.backup_id)), { verified: 'damaged' })
  const second = await ground.backUp()
  t.match(second, { reused_files: 0 })
  await ground.isWhole(second, await live(ground))
})

for (const which of ['newest', 'oldest', 'deleted'] as const) {
  t.test(
    `a file that was found damaged in one backup (the ${which} one) is taken from no other that shares it`,
    async (t) => {
      const ground = await prepare(t, 'local', 'local')
      const backups: Json[] = []
      for (let count = 0; count < 3; count++) backups.push(await ground.backUp())
      t.match(backups[2], { reused_files: 42 })
      const [copy] = fastGlob.globSync(`${ground.folder}/*/${backups[0]?.backup_id}/data/${large}`)
      const disk = openSync(copy ?? '', 'r+')
      writeSync(disk, 'damage in the file that all three share', 5000)
      closeSync(disk)

      const looked = String(backups[which === 'oldest' ? 0 : 2]?.backup_id)
      t.match(await verify(ground, looked), { verified: 'damaged' })
      if (which === 'deleted') t.match(await ground.call('DELETE', `/${looked}`), { status: 200 })
      const next = await ground.backUp()
      t.match(next, { reused_files: 41 })
      await ground.isWhole(next, await live(ground))
      t.match(await ground.backUp(), { reused_files: 42 }, 'the new copy is another file')
    },
  )
}

t.test('what was hashed too long ago is copied, and hashed, again', async (t) => {
  const ground = await prepare(t, 'local', 'local', ['rehash_after = "0s"'])
  await ground.backUp()
  t.match(await ground.backUp(), { reused_files: 0 })
})

for (const target of kinds) {
  t.test(`to ${target}: a file rewritten in its size is told by its time, or once its hash is too old`, async (t) => {
    const ground = await prepare(t, 'local', target)
    const [newer = '', silent = ''] = names
    const rewrite = async (name: string, content: string, time: string): Promise<void> => {
      await ground.source.put(name, Buffer.from(`${content} ${name}`))
      const [path = ''] = fastGlob.globSync(`${ground.folder}/*/${name}`)
      utimesSync(path, new Date(time), new Date(time))
    }
    const time = '2026-01-03T04:00:00Z'
    for (const name of [newer, silent]) await rewrite(name, 'first', time)
    await ground.backUp()
    const before = await live(ground)

    await rewrite(newer, 'other', '2026-01-03T04:00:01Z')
    await rewrite(silent, 'other', time)
    const second = await ground.backUp()
    t.match(second, { reused_files: 41 })
    await ground.isWhole(second, { ...(await live(ground)), [silent]: String(before[silent]) })

    await ground.service.close()
    const config = readFileSync(`${ground.folder}/arc.toml`, 'utf8')
    writeFileSync(`${ground.folder}/arc.toml`, config.replace('[backup]', '[backup]\nrehash_after = "0s"'))
    const later = await startTestService(t, ground)
    const third = await later.run('', { include_metadata: false })
    t.match(third, { outcome: 'completed', reused_files: 0 })
    t.not((await live(ground))[silent], before[silent])
    const kept = await ground.target.tree()
    for (const name of [newer, silent]) t.equal(kept[`${third.backup_id}/data/${name}`], (await live(ground))[name])
    t.match(await verify(later, String(third.backup_id)), { verified: 'full' })
  })
}

t.test("an incremental backup is laid out as Arc's own, but for the list of files", async (t) => {
  const { folder, run } = await startTestService(t)
  await run('')
  const second = await run('')
  t.match(second, { outcome: 'completed', reused_files: 36 })
  const [ours, theirs] = [String(second.backup_id), arcBackupId].map((id) => hashTree(`${folder}/data/backups/${id}`))
  const { 'manifest-files.json': list, ...rest } = ours ?? {}
  t.type(list, 'string')
  t.same(Object.keys(rest).sort(), Object.keys(theirs ?? {}).sort())
  const data = Object.fromEntries(Object.entries(theirs ?? {}).filter(([path]) => path.startsWith('data/')))
  t.equal(Object.keys(data).length, 36)
  t.match(rest, data)
})

t.test('without [backup] incremental everything is copied, unless the request says otherwise', async (t) => {
  const ground = await prepare(t, 'local', 'local', ['incremental = false'])
  await ground.backUp()
  t.match(await ground.backUp(), { reused_files: 0 })
  t.match(await ground.backUp({ incremental: true }), { reused_files: 42 })
})

t.test('a backup of some databases is taken from one that has them', async (t) => {
  const ground = await prepare(t, 'local', 'local')
  await ground.source.put('other/m/2026/01/03/00/x.parquet', Buffer.from('other'))
  const all = await ground.backUp()
  t.match(all, { reused_files: 0 })
  t.match(await ground.backUp({ databases: ['other'] }), { processed_files: 1, reused_files: 1 })
  t.match(await ground.backUp(), { processed_files: 43, reused_files: 43 }, 'and not the other way round')
})
