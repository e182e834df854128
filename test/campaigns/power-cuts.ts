import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import type { Owner } from '../servers/owner.js'
import { program } from '../support/root.js'
import { hashTree } from '../support/tree.js'
import type { Body, Victim } from './crash.js'
import { configure, startVictim } from './crash-ground.js'

const run = promisify(execFile)

/** What became of one cut. */
export interface Cut {
  readonly kind: 'backup' | 'restore'
  /** The last phase that was seen before it. */
  readonly phase: string
  /** Backups with a manifest that were there afterwards. */
  readonly backups: number
  readonly wrong: readonly string[]
}

const phases = {
  backup: ['listing', 'copying', 'settling', 'metadata', 'sealing', 'done', 'done'],
  restore: ['staging', 'syncing', 'switching', 'done', 'done'],
} as const
const imageMib = 400
/** A copy of the image counts only if nothing was written to it meanwhile, by a clock that ticks this often (ms). */
const tick = 20

/**
 * The service works on an ext4 file system in an image. At some instant it stands still, and the image is copied as the disk has it: what was never synced is not
 * in it. The copy is mounted, as after a power cut, and must hold what was promised.
 */
export async function* cutPower(
  owner: Owner,
  folder: string,
  { cuts, random }: { cuts: number; random: () => number },
): AsyncGenerator<Cut, void, undefined> {
  const image = `${folder}/disk.img`
  execFileSync('truncate', ['-s', `${imageMib}M`, image])
  execFileSync('mkfs.ext4', ['-q', '-F', image])
  const disk = mount(owner, image, `${folder}/disk`)
  const arc = `${disk.path}/data/arc`
  const target = [`type = "local"`, 'local_path = "./backups"']
  mkdirSync(`${disk.path}/backups`)
  writeSource(arc)
  configure(disk.path, target)
  const source = filesOf(arc)
  const victim = await startVictim(owner, disk.path)
  try {
    for (let number = 0; number < cuts; number += 1) {
      const [oldest, ...others] = (await backupsOf(victim)).reverse()
      if (others.length > 1) await victim.call('DELETE', `/${oldest}`)
      const before = await backupsOf(victim)
      const kind = before.length === 0 || random() < 0.5 ? 'backup' : 'restore'
      if (kind === 'restore') damage(arc, source, random)
      execFileSync('sync', ['-f', disk.path])
      const { phase, status } = await reach(victim, kind, before, random)
      victim.pause()
      const copy = `${folder}/cut.img`
      await copyAtRest(image, copy)
      victim.goOn()
      await idle(victim)
      const wrong = await judge(owner, folder, copy, {
        source,
        completed: status.outcome === 'completed' ? status : null,
      })
      if (kind === 'restore') writeSource(arc, source)
      yield { kind, phase, ...wrong }
    }
  } finally {
    await victim.kill()
    disk.end()
  }
}

interface Mounted {
  readonly path: string
  end(): void
}

function mount(owner: Owner, image: string, path: string): Mounted {
  mkdirSync(path, { recursive: true })
  execFileSync('mount', ['-o', 'loop', image, path])
  let ended = false
  const end = (): void => {
    if (ended) return
    ended = true
    execFileSync('umount', ['-l', path])
  }
  owner.teardown(end)
  return { path, end }
}

/** Writers of the kernel's go on for a moment: what counts is an instant at which none did. */
async function copyAtRest(image: string, copy: string): Promise<void> {
  for (;;) {
    const { mtimeMs } = statSync(image)
    if (Date.now() - mtimeMs < tick) {
      await sleep(tick)
      continue
    }
    copyFileSync(image, copy)
    await sleep(tick)
    if (statSync(image).mtimeMs === mtimeMs) return
  }
}

const contents = new Map<string, Buffer>()

function writeSource(arc: string, only?: Record<string, string>): void {
  if (contents.size === 0) {
    for (let index = 0; index < 300; index += 1) {
      contents.set(`db/m/2026/01/0${1 + (index % 9)}/00/${index}.parquet`, randomBytes(3000 + index))
    }
    for (let index = 0; index < 3; index += 1)
      contents.set(`db/large/2026/01/01/00/${index}.parquet`, randomBytes(9 << 20))
  }
  const live = only ? filesOf(arc) : {}
  for (const path of Object.keys(live)) if (only && !(path in only)) rmSync(`${arc}/${path}`)
  for (const [path, content] of contents) {
    if (only && live[path] === only[path]) continue
    mkdirSync(`${arc}/${path.slice(0, path.lastIndexOf('/'))}`, { recursive: true })
    writeFileSync(`${arc}/${path}`, content)
  }
}

function damage(arc: string, source: Record<string, string>, random: () => number): void {
  for (const path of Object.keys(source)) {
    const number = random()
    if (number < 0.3) rmSync(`${arc}/${path}`)
    else if (number < 0.7) writeFileSync(`${arc}/${path}`, `damaged ${path}`)
  }
}

/** Starts an operation and resolves at some instant of it, or just after its end. */
async function reach(
  victim: Victim,
  kind: Cut['kind'],
  backups: readonly string[],
  random: () => number,
): Promise<{ phase: string; status: Body }> {
  const wanted = phases[kind][Math.floor(random() * phases[kind].length)]
  const backup_id = backups[Math.floor(random() * backups.length)]
  const staging = random() < 0.3 ? 'file' : 'all'
  const request = { backup_id, confirm: true, restore_metadata: false, staging }
  const started = kind === 'backup' ? await victim.call('POST', '') : await victim.call('POST', '/restore', request)
  if (started.status !== 'running') throw new Error(`it did not start: ${JSON.stringify(started)}`)
  for (;;) {
    const status = await victim.call('GET', '/status')
    if (status.phase === wanted || status.status !== 'running') {
      await sleep(random() * 40)
      const now = await victim.call('GET', '/status')
      return { phase: String(now.phase), status: now }
    }
  }
}

/** What the copy holds, as it is and after a service has taken it up. */
async function judge(
  owner: Owner,
  folder: string,
  image: string,
  { source, completed }: { source: Record<string, string>; completed: Body | null },
): Promise<Pick<Cut, 'wrong' | 'backups'>> {
  const wrong: string[] = []
  const disk = mount(owner, image, `${folder}/cut`)
  try {
    const listed = readdirSync(`${disk.path}/backups`).filter((name) =>
      has(`${disk.path}/backups/${name}/manifest.json`),
    )
    for (const id of listed) wrong.push(...(await verify(disk.path, id)))
    if (completed?.operation === 'backup' && !listed.includes(String(completed.backup_id))) {
      wrong.push(`${completed.backup_id} had been completed and is not there`)
    }
    if (completed?.operation === 'restore') wrong.push(...differences(filesOf(`${disk.path}/data/arc`), source))
    wrong.push(...(await takeUp(owner, disk.path)))
    return { wrong, backups: listed.length }
  } finally {
    disk.end()
    rmSync(image)
  }
}

/** The next start of the machine: what was interrupted goes on, and every backup is whole then. */
async function takeUp(owner: Owner, path: string): Promise<string[]> {
  const wrong: string[] = []
  const journal = new Database(`${path}/data/arc-backup/journal.db`)
  // This machine has not been started again.
  journal.exec("UPDATE operations SET boot = 'before'")
  journal.close()
  const victim = await startVictim(owner, path)
  try {
    await sleep(200)
    await idle(victim)
    const { operations } = (await victim.call('GET', '/operations?limit=10')) as { operations: Body[] }
    const waiting = operations.filter(({ resumable }) => resumable === true)
    for (const { operation_id, operation } of waiting) {
      const answer = await victim.call('POST', `/operations/${operation_id}/resume`)
      if (answer.error !== undefined) wrong.push(`the ${operation} can not be resumed: ${JSON.stringify(answer)}`)
      await idle(victim)
    }
    const [last] = ((await victim.call('GET', '/operations?limit=1')) as { operations: Body[] }).operations
    if (last && last.outcome !== 'completed') wrong.push(`taken up, it ended so: ${JSON.stringify(last)}`)
    const ids = await backupsOf(victim)
    await victim.kill()
    for (const id of ids) wrong.push(...(await verify(path, id)))
    const hidden = Object.keys(filesOf(`${path}/data/arc`)).filter((name) => name.endsWith('.part'))
    if (hidden.length > 0) wrong.push(`debris beside live files: ${hidden.slice(0, 3)}`)
    return wrong
  } finally {
    await victim.kill()
  }
}

async function verify(path: string, id: string): Promise<string[]> {
  try {
    await run(process.execPath, [program, 'verify', id, '--level', 'full'], { cwd: path })
    return []
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    return [`${id} does not verify: ${/^error: .*$/m.exec(stdout + stderr)?.[0]}`]
  }
}

async function idle(victim: Victim): Promise<void> {
  for (;;) {
    const { operations } = (await victim.call('GET', '/operations?limit=5')) as { operations: Body[] }
    if (!operations.some(({ status }) => status === 'running')) return
    await sleep(10)
  }
}

async function backupsOf(victim: Victim): Promise<string[]> {
  const { backups } = (await victim.call('GET', '')) as { backups: { backup_id: string }[] }
  return backups.map(({ backup_id }) => backup_id)
}

function filesOf(folder: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(hashTree(folder)).filter(([path]) => !path.endsWith('/') && !path.startsWith('.arc-backup')),
  )
}

function differences(found: Record<string, string>, expected: Record<string, string>): string[] {
  return Object.keys(expected)
    .filter((path) => found[path] !== expected[path])
    .slice(0, 3)
    .map((path) => `the restore had been completed, and ${path} is ${path in found ? 'another' : 'not there'}`)
}

function has(file: string): boolean {
  return spawnSync('test', ['-e', file]).status === 0
}
