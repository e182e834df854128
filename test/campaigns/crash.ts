import { hash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Place } from '../support/place.js'
import { hashTree } from '../support/tree.js'

export type Body = Record<string, unknown>
type Kind = 'backup' | 'restore' | 'delete'

/** The service as a process that can be killed. */
export interface Victim {
  call(method: string, path: string, body?: unknown): Promise<Body>
  /** SIGSTOP, and SIGCONT. */
  pause(): void
  goOn(): void
  /** SIGKILL, and the end of the process. */
  kill(): Promise<void>
}

export interface CrashGround {
  /** Holds `data/arc`; the state is in `data/arc-backup`. */
  readonly folder: string
  readonly target: Place
  /** How many small files there are: each is read again and again through the store. */
  readonly files: number
  /** Uploads in parts that are left at the target. */
  uploads(): readonly string[]
  start(): Promise<Victim>
}

/** What became of one kill. */
export interface CrashResult {
  readonly kind: Kind
  /** The last phase that was seen before it. */
  readonly phase: string
  readonly wrong: readonly string[]
}

interface Kill {
  readonly kind: Kind
  /** Phase. */
  readonly wanted: string
}

/** SHA-256 of each file by its path. */
type Tree = Readonly<Record<string, string>>

/** What a backup has to have, by its id. */
export type Expected = (id: string) => Tree

const phases: Readonly<Record<Kind, readonly string[]>> = {
  backup: ['listing', 'copying', 'settling', 'metadata', 'sealing'],
  restore: ['reading', 'checking', 'staging', 'syncing', 'switching'],
  delete: ['deleting'],
}
const mostBackups = 3
const patienceMs = 120_000
const sweepPatience = 10_000

/** Kills the service again and again in the middle of its work, starts it again, and holds what is there against what was promised. */
export async function* crashCampaign(
  ground: CrashGround,
  { kills, random }: { kills: number; random: () => number },
): AsyncGenerator<CrashResult, void, undefined> {
  const arc = `${ground.folder}/data/arc`
  writeSource(arc, ground.files)
  let source: Tree = hashTree(arc)
  const backedUp = new Map<string, Tree>()
  const expected: Expected = (id) => backedUp.get(id) ?? {}
  let victim = await ground.start()
  const counts = new Map<string, number>()
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      const wrong: string[] = []
      const before = await makeRoom(victim)
      const chosen = choose(before.length, counts, random)
      const { kind } = chosen
      if (kind === 'backup') source = { ...source, ...change(arc, random) }
      const damaged = kind === 'restore' ? damage(arc, source, random) : source
      const { phase, id } = await interrupt(victim, chosen, before, random)
      if (kind === 'backup') backedUp.set(id, source)
      counts.set(`${kind} ${phase}`, (counts.get(`${kind} ${phase}`) ?? 0) + 1)
      await victim.kill()
      wrong.push(...listedButNotWhole(await ground.target.tree(), expected))
      if (kind === 'restore') wrong.push(...halfFiles(hashTree(arc), expected(id), damaged))
      else wrong.push(...differences('the source', hashTree(arc), source))
      victim = await ground.start()
      wrong.push(...(await recover(victim, random)))
      wrong.push(...(await judge(ground, victim, expected)))
      const live = without(hashTree(arc), /\.replaced$/)
      const extras = Object.fromEntries(Object.entries(damaged).filter(([path]) => !(path in source)))
      // Whole as in the backup, with what it lacks kept or moved aside; or as it was before.
      const wanted = kind === 'restore' ? expected(id) : source
      const possible = kind === 'restore' ? [wanted, { ...wanted, ...extras }, damaged] : [wanted]
      if (!possible.some((tree) => same(live, tree))) {
        wrong.push(...differences(`the live data after a ${kind}`, live, wanted).slice(0, 3))
      }
      if (kind === 'restore') reset(arc, source)
      yield { kind, phase, wrong }
    }
  } finally {
    await victim.kill()
  }
}

/** Not by a delete that is killed: one that is killed too early makes none, and on a slow machine nearly all kills would be of deletes. */
async function makeRoom(victim: Victim): Promise<string[]> {
  for (;;) {
    const ids = await backupsOf(victim)
    if (ids.length <= mostBackups) return ids
    await victim.call('DELETE', `/${ids.at(-1)}`)
  }
}

const contents = new Map<string, Buffer>()
/** Share of the files that are rewritten before a backup: where it takes all from an earlier one, copying is over before a kill can meet it. */
const changing = 0.3

function writeSource(arc: string, files: number): void {
  contents.clear()
  const write = (path: string, content: Buffer): void => {
    contents.set(path, content)
    mkdirSync(`${arc}/${path.slice(0, path.lastIndexOf('/'))}`, { recursive: true })
    writeFileSync(`${arc}/${path}`, content)
  }
  for (let index = 0; index < files; index += 1) {
    write(
      `db${index % 3}/m/2026/01/${String(1 + (index % 9)).padStart(2, '0')}/08/${index}.parquet`,
      randomBytes(2000 + index),
    )
  }
  for (let index = 0; index < 2; index += 1) write(`db0/large/2026/01/03/${index}.parquet`, randomBytes(9 << 20))
}

/** Rewrites some files under their names, half of them in their size. @returns these */
function change(arc: string, random: () => number): Tree {
  const changed: Record<string, string> = {}
  for (const [path, { length }] of contents) {
    if (random() >= changing) continue
    const content = randomBytes(random() < 0.5 ? length : length + 1)
    contents.set(path, content)
    writeFileSync(`${arc}/${path}`, content)
    changed[path] = hash('sha256', content)
  }
  return changed
}

/** What is to be killed, and in which phase: half the time where it was killed least so far, since some phases are over in a blink. */
function choose(backups: number, counts: ReadonlyMap<string, number>, random: () => number): Kill {
  const possible = backups === 0 ? ['backup'] : Object.keys(phases)
  const all = (possible as Kind[]).flatMap((kind) => phases[kind].map((wanted): Kill => ({ kind, wanted })))
  const any = all[Math.floor(random() * all.length)] as Kill
  if (random() < 0.5) return any
  const times = ({ kind, wanted }: Kill): number => counts.get(`${kind} ${wanted}`) ?? 0
  return all.reduce((least, kill) => (times(kill) < times(least) ? kill : least), any)
}

/** Some files are gone, some are others, some are new. */
function damage(arc: string, source: Tree, random: () => number): Record<string, string> {
  for (const path of Object.keys(source)) {
    const number = random()
    if (number < 0.2) rmSync(`${arc}/${path}`)
    else if (number < 0.6) writeFileSync(`${arc}/${path}`, `damaged ${path}`)
  }
  for (let index = 0; index < 20; index += 1)
    writeFileSync(`${arc}/db0/large/2026/01/03/extra${index}.parquet`, 'extra')
  return hashTree(arc)
}

function reset(arc: string, source: Tree): void {
  const live = hashTree(arc)
  for (const path of Object.keys(live)) {
    if (!(path in source) && !isOurs(path)) rmSync(`${arc}/${path}`, { force: true })
  }
  for (const [path, content] of contents) {
    if (live[path] === source[path]) continue
    mkdirSync(`${arc}/${path.slice(0, path.lastIndexOf('/'))}`, { recursive: true })
    writeFileSync(`${arc}/${path}`, content)
  }
}

/** Starts an operation, and resolves at some instant of it: some time after a phase has begun, or at any time. Answers the phase, and which backup it is about. */
async function interrupt(
  victim: Victim,
  { kind, wanted }: Kill,
  backups: readonly string[],
  random: () => number,
): Promise<{ phase: string; id: string }> {
  const id = backups[Math.floor(random() * backups.length)] ?? ''
  const later = random() < 0.5 ? 0 : random() * 30
  if (kind === 'delete') {
    // The answer comes when it is over: it is not waited for.
    let answered = false
    victim
      .call('DELETE', `/${id}`)
      .catch(() => {})
      .finally(() => {
        answered = true
      })
    for (;;) {
      const { operations } = (await victim.call('GET', '/operations?limit=1')) as { operations: Body[] }
      if (answered || (operations[0]?.operation === 'delete' && operations[0].status === 'running')) break
    }
    await sleep(later)
    return { phase: 'deleting', id }
  }
  const [mode, staging] = [random() < 0.5 ? 'merge' : 'replace', random() < 0.3 ? 'file' : 'all']
  const request = { backup_id: id, confirm: true, restore_metadata: false, mode, staging }
  const full = { incremental: false }
  const started =
    kind === 'backup'
      ? await victim.call('POST', '', random() < 0.2 ? full : {})
      : await victim.call('POST', '/restore', request)
  if (started.status !== 'running') throw new Error(`it did not start: ${JSON.stringify(started)}`)
  for (;;) {
    const { status, phase } = await victim.call('GET', '/status')
    if (phase === wanted || status !== 'running') {
      if (later > 0) await sleep(later)
      const now = await victim.call('GET', '/status')
      return { phase: String(now.phase), id: kind === 'backup' ? String(started.backup_id) : id }
    }
  }
}

/** Waits until what goes on by itself has ended; what waits is resumed or discarded. */
export async function recover(victim: Victim, random: () => number): Promise<string[]> {
  const wrong: string[] = []
  const deadline = Date.now() + patienceMs
  for (;;) {
    if (Date.now() > deadline) return [...wrong, 'the operation did not end']
    const { operations } = (await victim.call('GET', '/operations?limit=5')) as { operations: Body[] }
    const running = operations.find(({ status }) => status === 'running')
    const waiting = operations.find(({ resumable }) => resumable === true)
    if (!running && !waiting) {
      const [last] = operations
      // A delete that was killed is finished by the sweep, or has not begun.
      if (last?.operation === 'delete' && last.outcome === 'interrupted') {
        if ((await backupsOf(victim)).includes(String(last.backup_id))) return wrong
        await sleep(10)
        continue
      }
      if (last?.status === 'failed' && last.outcome !== 'cancelled') wrong.push(`it ended so: ${JSON.stringify(last)}`)
      return wrong
    }
    if (!running && waiting?.operation === 'restore') {
      const path = `/operations/${waiting.operation_id}/${random() < 0.5 ? 'resume' : 'discard'}`
      const answer = await victim.call('POST', path)
      // Its switch had begun: it goes on by itself just now.
      if (
        answer.error !== undefined &&
        !/can only be resumed|was not interrupted|in progress/.test(String(answer.error))
      ) {
        wrong.push(`${path}: ${JSON.stringify(answer)}`)
      }
    }
    await sleep(10)
  }
}

/** At any instant, what has a manifest has everything. */
export function listedButNotWhole(tree: Tree, expected: Expected): string[] {
  const ids = Object.keys(tree).flatMap((path) => /^(backup-[^/]+)\/manifest\.json$/.exec(path)?.[1] ?? [])
  return ids
    .filter((id) => !same(dataOf(tree, id), expected(id)) && !isTombstone(tree, id))
    .map((id) => `${id} was listed when it was not whole`)
}

/** A sweep's: nothing else is there. */
function isTombstone(tree: Tree, id: string): boolean {
  return Object.keys(tree).every((path) => !path.startsWith(`${id}/`) || path === `${id}/manifest.json`)
}

function dataOf(tree: Tree, id: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([path, hash]) =>
      path.startsWith(`${id}/data/`) ? [[path.slice(id.length + 6), hash]] : [],
    ),
  )
}

/** What must hold whenever nothing runs. */
export async function judge(
  { folder, target, uploads }: Omit<CrashGround, 'files'>,
  victim: Victim,
  expected: Expected,
): Promise<string[]> {
  await settledSweep(victim)
  const look = async () => {
    const [ids, tree] = [await backupsOf(victim), await target.tree()]
    return { ids, tree, left: leftovers(folder, ids, tree) }
  }
  let seen = await look()
  for (const end = performance.now() + sweepPatience; seen.left.length > 0 && performance.now() < end; ) {
    await sleep(50)
    seen = await look()
  }
  const { ids, tree, left } = seen
  const wrong = [...left]
  for (const id of ids) {
    const data = dataOf(tree, id)
    if (!same(data, expected(id))) wrong.push(...differences(`the backup ${id}`, data, expected(id)).slice(0, 3))
    const started = await victim.call('POST', `/${id}/verify`, { level: 'full' })
    const verified = await ended(victim, String(started.operation_id))
    if (verified.outcome !== 'completed') wrong.push(`${id} does not verify: ${JSON.stringify(verified)}`)
  }
  if (uploads().length > 0) wrong.push(`uploads in parts: ${uploads()}`)
  return wrong
}

/** What only a sweep removes, and has not yet. */
function leftovers(folder: string, ids: readonly string[], tree: Tree): string[] {
  const wrong: string[] = []
  const known = new Set(ids)
  const debris = Object.keys(tree).filter((path) => {
    const [first = '', second] = path.split('/')
    return (
      second !== undefined &&
      first !== '' &&
      !known.has(first) &&
      !/"tombstone"/.test(path) &&
      second !== 'manifest.json'
    )
  })
  if (debris.length > 0) wrong.push(`debris at the target: ${debris.slice(0, 3)}`)
  const parts = Object.keys(hashTree(`${folder}/data/arc`)).filter((path) => path.endsWith('.part'))
  if (parts.length > 0) wrong.push(`debris beside live files: ${parts.slice(0, 3)}`)
  const operations = `${folder}/data/arc-backup/operations`
  const left = existsSync(operations) ? readdirSync(operations) : []
  if (left.length > 0) wrong.push(`left in the state: ${left}`)
  return wrong
}

/** The sweep of the start runs beside the first requests; a delete waits for it, once it has begun. */
async function settledSweep(victim: Victim): Promise<void> {
  await sleep(50)
  await victim.call('DELETE', '/backup-20000101-000000-00000000')
}

async function ended(victim: Victim, operation: string): Promise<Body> {
  for (;;) {
    const status = await victim.call('GET', `/operations/${operation}`)
    if (status.status !== 'running') return status
    await sleep(5)
  }
}

export async function backupsOf(victim: Victim): Promise<string[]> {
  const { backups } = (await victim.call('GET', '')) as { backups: { backup_id: string }[] }
  return backups.map(({ backup_id }) => backup_id)
}

/** Each file is the old one or the new one, whole. */
export function halfFiles(live: Tree, source: Tree, damaged: Tree): string[] {
  return Object.entries(live).flatMap(([path, hash]) => {
    if (/\/\.|^\./.test(path) || path.endsWith('/')) return []
    return hash === source[path] || hash === damaged[path] ? [] : [`${path} is neither old nor new`]
  })
}

export function differences(what: string, found: Tree, expected: Tree): string[] {
  const paths = new Set([...Object.keys(found), ...Object.keys(expected)])
  return [...paths]
    .filter((path) => found[path] !== expected[path] && !isOurs(path))
    .map((path) => `${what} differs in ${path}`)
}

export function same(found: Tree, expected: Tree): boolean {
  return differences('', found, expected).length === 0
}

function isOurs(path: string): boolean {
  return path.startsWith('.arc-backup.lock') || path.endsWith('/')
}

export function without(tree: Tree, pattern: RegExp): Record<string, string> {
  return Object.fromEntries(Object.entries(tree).filter(([path]) => !pattern.test(path)))
}
