import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Owner } from '../servers/owner.js'
import { folderPlace } from '../support/place.js'
import { program } from '../support/root.js'
import { hashTree } from '../support/tree.js'
import {
  backupsOf,
  type CrashGround,
  differences,
  halfFiles,
  judge,
  listedButNotWhole,
  recover,
  same,
  without,
} from './crash.js'
import { configure, startVictim } from './crash-ground.js'

export type Kind = 'backup' | 'restore' | 'restore one by one' | 'delete'

export const kinds: readonly Kind[] = ['backup', 'restore', 'restore one by one', 'delete']

/** The nth call of a system call by a thread: strace counts for each thread. */
export interface KillPoint {
  readonly kind: Kind
  readonly call: string
  readonly nth: number
}

/** What became of one kill. */
export interface Killed {
  readonly point: KillPoint
  /** False where no thread came so far this time: threads share their work anew in each run. */
  readonly killed: boolean
  readonly wrong: readonly string[]
}

/** What changes a file, a folder or what is on stable storage. */
const mutating = [
  ...['write', 'pwrite64', 'writev', 'pwritev', 'copy_file_range', 'sendfile', 'ftruncate', 'truncate', 'fallocate'],
  ...['open', 'openat', 'creat', 'mkdir', 'mkdirat', 'rmdir', 'unlink', 'unlinkat', 'link', 'linkat'],
  ...['rename', 'renameat', 'renameat2', 'symlink', 'symlinkat', 'fsync', 'fdatasync', 'syncfs', 'sync_file_range'],
  ...['chmod', 'fchmod', 'fchmodat', 'chown', 'fchown', 'lchown', 'fchownat', 'utimensat', 'futimesat'],
]

/** A small Arc, what it is like before each operation, and its real system calls. */
export class KillGround {
  readonly #owner: Owner
  readonly #folder: string
  readonly #source: Record<string, string>
  readonly #ids: Partial<Record<Kind, string>> = {}

  private constructor(owner: Owner, folder: string, source: Record<string, string>) {
    this.#owner = owner
    this.#folder = folder
    this.#source = source
  }

  /** @throws where there is no strace */
  static async open(owner: Owner, folder: string): Promise<KillGround> {
    const found = spawnSync('strace', ['-V'])
    if (found.status !== 0)
      throw new Error('strace is needed (Debian: apt-get install strace): it kills at each system call')
    const own = `${folder}/start`
    mkdirSync(`${own}/backups`, { recursive: true })
    const arc = `${own}/data/arc`
    for (let index = 0; index < 6; index += 1)
      put(arc, `db${index % 2}/m/2026/01/0${index % 3}/00/${index}.parquet`, index)
    configure(own, ['type = "local"', 'local_path = "./backups"'])
    const source = hashTree(arc)
    const ground = new KillGround(owner, folder, source)
    ground.#keep('backup')
    const id = await ground.#backUp(own)
    ground.#keep('delete', id)
    for (const [index, path] of Object.keys(source).entries()) {
      if (index % 3 === 0) rmSync(`${arc}/${path}`)
      else writeFileSync(`${arc}/${path}`, `damaged ${path}`)
    }
    writeFileSync(`${arc}/db0/m/2026/01/00/00/extra.parquet`, 'extra')
    ground.#keep('restore', id)
    ground.#keep('restore one by one', id)
    return ground
  }

  /** Every point at which a thread changes something of the ground. */
  async points(kind: Kind): Promise<KillPoint[]> {
    const own = this.#prepare(kind)
    const log = `${this.#folder}/trace`
    await this.#run(own, kind, ['-f', '-y', '-s', '0', '-e', `trace=${mutating.join()}`, '-o', log])
    return pointsIn(readFileSync(log, 'utf8'), own).map(({ call, nth }) => ({ kind, call, nth }))
  }

  async kill(point: KillPoint): Promise<Killed> {
    const { kind, call, nth } = point
    const own = this.#prepare(kind)
    const before = hashTree(`${own}/data/arc`)
    const inject = ['-f', '-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${nth}`, '-o', '/dev/null']
    const killed = await this.#run(own, kind, inject)
    const had = began(own)
    const target = folderPlace(`${own}/backups`)
    const wrong = listedButNotWhole(await target.tree(), () => this.#source)
    const half = halfFiles(hashTree(`${own}/data/arc`), this.#source, before)
    wrong.push(...half)
    const ground: Omit<CrashGround, 'files'> = {
      folder: own,
      target,
      uploads: () => [],
      start: () => startVictim(this.#owner, own),
    }
    const victim = await ground.start()
    try {
      wrong.push(...(await recover(victim, () => 0)))
      wrong.push(...(await judge(ground, victim, () => this.#source)))
      const live = without(hashTree(`${own}/data/arc`), /\.replaced$/)
      const extra = Object.fromEntries(Object.entries(before).filter(([path]) => !(path in this.#source)))
      const expected = kind.startsWith('restore') ? [{ ...this.#source, ...extra }, before] : [this.#source]
      if (!expected.some((tree) => same(live, tree))) wrong.push(...differences('the live data', live, this.#source))
      if (kind === 'backup' && (await backupsOf(victim)).length === 0 && had) wrong.push('the backup did not go on')
    } finally {
      await victim.kill()
    }
    return { point, killed, wrong }
  }

  async #backUp(own: string): Promise<string> {
    await this.#run(own, 'backup', ['-o', '/dev/null', '-e', 'trace=none'])
    const victim = await startVictim(this.#owner, own)
    const [id] = await backupsOf(victim)
    await victim.kill()
    if (id === undefined) throw new Error('there is no backup to begin with')
    return id
  }

  /** The start of every run of this kind. */
  #keep(kind: Kind, id?: string): void {
    cpSync(`${this.#folder}/start`, `${this.#folder}/${kind.replaceAll(' ', '-')}`, { recursive: true })
    if (id !== undefined) this.#ids[kind] = id
  }

  #prepare(kind: Kind): string {
    const own = `${this.#folder}/work`
    rmSync(own, { recursive: true, force: true })
    cpSync(`${this.#folder}/${kind.replaceAll(' ', '-')}`, own, { recursive: true })
    return own
  }

  /** @returns whether it was killed */
  async #run(own: string, kind: Kind, options: readonly string[]): Promise<boolean> {
    const child = spawn('strace', [...options, process.execPath, program, ...this.#command(kind)], {
      cwd: own,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (text += String(bytes)))
    this.#owner.teardown(() => void child.kill('SIGKILL'))
    const [code, signal] = await once(child, 'close')
    // strace ends as the program did. Where only the `sync` that it starts was killed, it does that work by itself.
    if (signal === 'SIGKILL') return true
    if (code === 0) return false
    throw new Error(`the ${kind} ended with ${code}: ${text}`)
  }

  #command(kind: Kind): string[] {
    if (kind === 'backup') return ['backup']
    const id = this.#ids[kind] ?? ''
    if (kind === 'delete') return ['delete', id, '--yes']
    const how = kind === 'restore' ? ['--mode', 'replace'] : ['--staging', 'file']
    return ['restore', id, '--yes', '--no-metadata', ...how]
  }
}

function put(arc: string, path: string, index: number): void {
  mkdirSync(`${arc}/${path.slice(0, path.lastIndexOf('/'))}`, { recursive: true })
  writeFileSync(`${arc}/${path}`, Buffer.alloc(2000 + index, index))
}

/** Had it written anything to its own folder? */
function began(own: string): boolean {
  return Object.keys(hashTree(`${own}/backups`)).some((path) => path.startsWith('backup-'))
}

/** Lines of strace: `1234 pwrite64(23</folder/file>, …) = 4096`. */
function pointsIn(trace: string, own: string): { call: string; nth: number }[] {
  const counts = new Map<string, number>()
  const points = new Map<string, { call: string; nth: number }>()
  for (const line of trace.split('\n')) {
    const found = /^(\d+) +(\w+)\((.*)$/.exec(line)
    const [, thread, call = '', rest = ''] = found ?? []
    if (!found) continue
    const nth = (counts.get(`${thread} ${call}`) ?? 0) + 1
    counts.set(`${thread} ${call}`, nth)
    const opens = /^(open|openat|creat)$/.test(call)
    if ((rest.includes(own) || /"(?!\/)[^"]*(data|backups)\//.test(rest)) && (!opens || /O_CREAT/.test(rest))) {
      points.set(`${call} ${nth}`, { call, nth })
    }
  }
  return [...points.values()]
}
