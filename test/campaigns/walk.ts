import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Owner } from '../servers/owner.js'
import { program } from '../support/root.js'
import type { Body, Victim } from './crash.js'
import { configure, startVictim } from './crash-ground.js'
import { isData, ofNoInstant, Source, type Tree, treeOf } from './walk-model.js'

/** One step, and what does not hold after it. */
export interface Step {
  readonly name: string
  readonly outcome: string
  readonly wrong: readonly string[]
}

const clock = fileURLToPath(new URL('shifted-clock.js', import.meta.url))
const day = 24 * 60 * 60 * 1000
const mostBackups = 4
/** How long a sweep may take, in ms: shorter than the pause before a second one, so that the first one has to come. */
const sweepPatience = 4500

/** How often each step is taken. */
const weights: Readonly<Record<string, number>> = {
  write: 20,
  forget: 6,
  compact: 8,
  recover: 2,
  backup: 12,
  'backup of a moving source': 8,
  'backup, cancelled': 5,
  'backup, killed': 4,
  restore: 8,
  'restore, cancelled': 5,
  'restore, killed': 4,
  delete: 5,
  'delete, killed': 2,
  verify: 8,
  'replace, undone': 2,
  'another clock': 2,
}

/** Anything that may happen, in any order: what is there afterwards is held against what a model says. */
export async function* walk(
  owner: Owner,
  folder: string,
  { steps, random }: { steps: number; random: () => number },
): AsyncGenerator<Step, void, undefined> {
  const walker = await Walker.open(owner, folder, random)
  try {
    for (let number = 0; number < steps; number += 1) yield await walker.step()
  } finally {
    await walker.end()
  }
}

class Walker {
  readonly #owner: Owner
  readonly #folder: string
  readonly #random: () => number
  readonly #source: Source
  #victim: Victim
  #shift = 0
  readonly #taken = new Set<string>()
  /** What each backup holds. */
  readonly #backups = new Map<string, Tree>()
  #live: Tree

  private constructor(owner: Owner, folder: string, random: () => number, source: Source, victim: Victim) {
    this.#owner = owner
    this.#folder = folder
    this.#random = random
    this.#source = source
    this.#victim = victim
    this.#live = source.tree()
  }

  static async open(owner: Owner, folder: string, random: () => number): Promise<Walker> {
    mkdirSync(`${folder}/data/arc`, { recursive: true })
    mkdirSync(`${folder}/backups`)
    // Arc merges a partition once an hour, the walk some of them within a blink: the default of 5 would be too few now and then.
    configure(folder, ['type = "local"', 'local_path = "./backups"'], ['settle_passes = 50'])
    const source = new Source(`${folder}/data/arc`, random)
    for (let turn = 0; turn < 20; turn += 1) source.write()
    return new Walker(owner, folder, random, source, await startVictim(owner, folder))
  }

  async end(): Promise<void> {
    await this.#victim.kill()
  }

  async step(): Promise<Step> {
    const name = this.#choose()
    this.#taken.add(name)
    const wrong: string[] = []
    let outcome = ''
    try {
      outcome = await this.#take(name, wrong)
    } catch (error) {
      wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
    }
    wrong.push(...(await this.#compare().catch((error: unknown) => [String(error)])))
    return { name, outcome, wrong }
  }

  #choose(): string {
    const known = this.#backups.size
    const possible = Object.entries(weights).filter(([name]) => {
      if (/^(restore|delete|verify|replace)/.test(name)) return known > 0
      return !name.startsWith('backup') || known < mostBackups
    })
    // The rarest would miss one short walk in twenty.
    const fresh = possible.find(([name]) => !this.#taken.has(name))
    if (fresh && this.#random() < 0.1) return fresh[0]
    let left = this.#random() * possible.reduce((total, [, weight]) => total + weight, 0)
    for (const [name, weight] of possible) {
      left -= weight
      if (left < 0) return name
    }
    return 'write'
  }

  async #take(name: string, wrong: string[]): Promise<string> {
    const source = this.#source
    switch (name) {
      case 'write':
        source.write()
        break
      case 'forget':
        source.forget()
        break
      case 'compact':
        await source.compact(async () => {})
        break
      case 'recover':
        source.recover()
        break
      case 'delete':
        return this.#delete(false)
      case 'delete, killed':
        return this.#delete(true)
      case 'verify':
        return this.#verify(this.#anyBackup(), wrong)
      case 'another clock':
        return this.#shiftClock()
      case 'replace, undone':
        return this.#replaceAndUndo(wrong)
      default:
        return name.startsWith('backup') ? this.#backUp(name, wrong) : this.#restore(name, wrong)
    }
    this.#live = source.tree()
    return ''
  }

  async #backUp(name: string, wrong: string[]): Promise<string> {
    const instants = [this.#live]
    const { backup_id: id, operation_id } = await this.#start('', undefined)
    if (name === 'backup of a moving source') {
      const note = async (): Promise<void> => {
        instants.push(this.#source.tree())
        await sleep(this.#random() * 4)
      }
      for (let change = 0; change < 4; change += 1) {
        if (this.#random() < 0.5) this.#source.write(() => instants.push(this.#source.tree()))
        else await this.#source.compact(note)
        await note()
      }
    }
    if (name === 'backup, cancelled') await this.#cancel(String(operation_id))
    if (name === 'backup, killed') {
      await this.#kill(async () => {
        const own = `${this.#folder}/backups/${id}`
        if (existsSync(`${own}/manifest.json`))
          wrong.push(...differences('a backup that is listed', treeOf(`${own}/data`), this.#live))
        await this.#maybeWrite(instants)
      })
    }
    const outcome = await this.#settled(String(operation_id))
    this.#live = this.#source.tree()
    instants.push(this.#live)
    const listed = await this.#listed()
    if (outcome !== 'completed') {
      if (name !== 'backup, cancelled' || outcome !== 'cancelled') wrong.push(`the backup ended ${outcome}`)
      if (listed.includes(String(id))) wrong.push(`${id} is listed, and ended ${outcome}`)
      return outcome
    }
    const tree = treeOf(`${this.#folder}/backups/${id}/data`)
    for (const partition of ofNoInstant(tree, instants)) wrong.push(`${partition} in ${id} is of no instant`)
    this.#backups.set(String(id), tree)
    return outcome
  }

  async #maybeWrite(instants: Tree[]): Promise<void> {
    if (this.#random() < 0.5) return
    this.#source.write()
    instants.push(this.#source.tree())
  }

  async #restore(name: string, wrong: string[]): Promise<string> {
    const id = this.#anyBackup()
    const mode = this.#random() < 0.5 ? 'merge' : 'replace'
    const staging = this.#random() < 0.3 ? 'file' : 'all'
    const before = this.#live
    const { operation_id } = await this.#start('/restore', {
      backup_id: id,
      confirm: true,
      restore_metadata: false,
      mode,
      staging,
    })
    if (name === 'restore, cancelled') await this.#cancel(String(operation_id))
    if (name === 'restore, killed') await this.#kill(async () => {})
    const outcome = await this.#settled(String(operation_id))
    const whole = this.#restored(id, mode, before)
    const live = this.#source.tree()
    this.#live = live
    if (outcome === 'completed') wrong.push(...differences('the restored data', live, whole))
    else if (name === 'restore') wrong.push(`the restore ended ${outcome}`)
    else if (outcome !== 'cancelled') wrong.push(`the restore ended ${outcome}`)
    else if (staging === 'all') wrong.push(...differences('a restore that was cancelled', live, before))
    else {
      // One by one, each file is the old one or the new one.
      for (const path of new Set([...Object.keys(live), ...Object.keys(before)])) {
        if (live[path] !== before[path] && live[path] !== whole[path]) wrong.push(`${path} is neither old nor new`)
      }
    }
    return `${mode}, ${staging}: ${outcome}`
  }

  /** What the live data is after a restore. */
  #restored(id: string, mode: string, before: Tree): Tree {
    const backup = this.#backups.get(id) ?? {}
    const databases = new Set(Object.keys(backup).map((path) => path.split('/', 1)[0]))
    const kept = Object.entries(before).filter(
      ([path]) => mode === 'merge' || !isData(path) || !databases.has(path.split('/', 1)[0]),
    )
    return { ...Object.fromEntries(kept), ...backup }
  }

  async #replaceAndUndo(wrong: string[]): Promise<string> {
    const id = this.#anyBackup()
    const before = this.#live
    const request = { backup_id: id, confirm: true, restore_metadata: false, mode: 'replace' }
    const { operation_id } = await this.#start('/restore', request)
    const outcome = await this.#settled(String(operation_id))
    const live = this.#source.tree()
    this.#live = live
    if (outcome !== 'completed') wrong.push(`the restore ended ${outcome}`)
    const moved = Object.keys(before).filter((path) => !(path in live))
    if (moved.length === 0) return 'nothing was moved aside'
    await this.#victim.kill()
    execFileSync(process.execPath, [program, 'undo', String(operation_id)], { cwd: this.#folder, stdio: 'pipe' })
    await this.#restart()
    this.#live = this.#source.tree()
    wrong.push(...differences('what was moved aside', this.#live, { ...before, ...this.#backups.get(id) }))
    return `${moved.length} files put back`
  }

  async #delete(killed: boolean): Promise<string> {
    const id = this.#anyBackup()
    const answer = this.#victim.call('DELETE', `/${id}`)
    if (killed) {
      answer.catch(() => {})
      await this.#kill(async () => {})
      if ((await this.#listed()).includes(id)) return 'it is still there'
    } else {
      const { error } = await answer
      if (error !== undefined) throw new Error(`DELETE ${id}: ${error}`)
    }
    this.#backups.delete(id)
    return 'gone'
  }

  async #verify(id: string, wrong: string[]): Promise<string> {
    const { operation_id } = await this.#victim.call('POST', `/${id}/verify`, { level: 'full' })
    const outcome = await this.#settled(String(operation_id))
    if (outcome !== 'completed') wrong.push(`${id} does not verify: ${outcome}`)
    return outcome
  }

  async #shiftClock(): Promise<string> {
    this.#shift = [0, -2 * day, day / 24, 5 * day][Math.floor(this.#random() * 4)] ?? 0
    await this.#victim.kill()
    await this.#restart()
    return `${this.#shift / day} days`
  }

  async #start(path: string, body: unknown): Promise<Body> {
    const answer = await this.#victim.call('POST', path, body)
    if (answer.status !== 'running') throw new Error(`POST ${path}: ${JSON.stringify(answer)}`)
    const { operation_id } = await this.#victim.call('GET', '/status')
    return { ...answer, operation_id }
  }

  async #cancel(operation: string): Promise<void> {
    await sleep(this.#random() * 30)
    await this.#victim.call('POST', `/operations/${operation}/cancel`)
  }

  /** At some instant; `meanwhile` happens while nobody is there. */
  async #kill(meanwhile: () => Promise<void>): Promise<void> {
    await sleep(this.#random() * 60)
    await this.#victim.kill()
    await meanwhile()
    await this.#restart()
  }

  async #restart(): Promise<void> {
    const options = { options: ['--import', clock], env: { CLOCK_SHIFT_MS: String(this.#shift) } }
    this.#victim = await startVictim(this.#owner, this.#folder, options)
    // The sweep of the start runs beside the first requests; a delete waits for it.
    await sleep(30)
    await this.#victim.call('DELETE', '/backup-20000101-000000-00000000')
  }

  /** How it ended; a restore that waits is resumed or given up. */
  async #settled(operation: string): Promise<string> {
    for (;;) {
      const status = await this.#victim.call('GET', `/operations/${operation}`)
      if (status.resumable === true && status.operation === 'restore') {
        const way = this.#random() < 0.5 ? 'resume' : 'discard'
        await this.#victim.call('POST', `/operations/${operation}/${way}`)
      } else if (status.status !== 'running' && status.resumable !== true) {
        return status.outcome === 'failed' ? `failed: ${status.error}` : String(status.outcome)
      }
      await sleep(4)
    }
  }

  /** Whatever was done: the backups are those of the model, with what they held; nothing else is at the target, beside live files or in the state. */
  async #compare(): Promise<string[]> {
    const wrong: string[] = []
    const live = this.#source.tree()
    wrong.push(...differences('the live data', live, this.#live))
    const listed = await this.#listed()
    for (const id of listed) if (!this.#backups.has(id)) wrong.push(`${id} is listed and should not be`)
    for (const [id, tree] of this.#backups) {
      if (!listed.includes(id)) wrong.push(`${id} is not listed any more`)
      else wrong.push(...differences(id, treeOf(`${this.#folder}/backups/${id}/data`), tree))
    }
    let left = this.#leftovers(listed)
    for (const end = performance.now() + sweepPatience; left.length > 0 && performance.now() < end; ) {
      await sleep(20)
      left = this.#leftovers(listed)
    }
    rmSync(`${this.#folder}/data/arc.new`, { force: true })
    return [...wrong, ...left]
  }

  /** What only a sweep removes, and has not yet. */
  #leftovers(listed: readonly string[]): string[] {
    const folders = readdirSync(`${this.#folder}/backups`).filter((name) => name.startsWith('backup-'))
    const debris = folders.filter((name) => !listed.includes(name)).map((name) => `${name} is debris`)
    const hidden = readdirSync(`${this.#folder}/data/arc`, { recursive: true }).filter((path) =>
      String(path).endsWith('.part'),
    )
    const operations = `${this.#folder}/data/arc-backup/operations`
    const inState = existsSync(operations) ? readdirSync(operations) : []
    return [
      ...debris,
      ...(hidden.length > 0 ? [`hidden files are left: ${hidden.slice(0, 2)}`] : []),
      ...(inState.length > 0 ? [`left in the state: ${inState}`] : []),
    ]
  }

  async #listed(): Promise<string[]> {
    const answer = await this.#victim.call('GET', '')
    if (!Array.isArray(answer.backups)) throw new Error(`the list is none: ${JSON.stringify(answer)}`)
    return (answer.backups as { backup_id: string }[]).map(({ backup_id }) => backup_id)
  }

  #anyBackup(): string {
    const ids = [...this.#backups.keys()]
    return ids[Math.floor(this.#random() * ids.length)] ?? ''
  }
}

function differences(what: string, found: Tree, expected: Tree): string[] {
  return [...new Set([...Object.keys(found), ...Object.keys(expected)])]
    .filter((path) => found[path] !== expected[path])
    .slice(0, 3)
    .map((path) => `${what}: ${path} is ${path in found ? (path in expected ? 'another' : 'too much') : 'not there'}`)
}
