import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { query } from '../support/sql.js'
import type { CompactorMessage } from './compactor.js'

type Json = Record<string, unknown>

/** A request to a service's API below `/api/v1/backup`. @throws where it is refused */
export type Call = (method: string, path: string, body?: Json) => Promise<Json>

export interface CampaignServices {
  /** The one that is put to the test, and its storage root. */
  readonly source: Call
  readonly storage: string
  /** One over the same backups, into whose storage they are restored. */
  readonly empty: Call
  readonly restored: string
}

const dataOnly = { include_metadata: false, include_config: false }

/** What became of one backup. */
export interface CampaignResult {
  readonly passes: number
  readonly replaced: number
  readonly consumed: number
  readonly files: number
  readonly rows: number
  /** Partitions whose rows were in the source at no instant of the backup. Empty is what is promised. */
  readonly wrong: readonly string[]
}

/**
 * Backs up again and again while another process merges, deletes and rewrites as Arc does; verifies each backup, restores it into an empty root, and compares the rows of
 * each day partition, by SQL over the real files, with those that the source had from the start to the end of the backup.
 */
export async function* compactionCampaign(
  services: CampaignServices,
  { backups, seed }: { backups: number; seed: number },
): AsyncGenerator<CampaignResult, Readonly<Record<string, number>>, undefined> {
  const compactor = new CompactorProcess(services.storage, seed)
  try {
    await compactor.rest()
    for (let number = 0; number < backups; number += 1) {
      const allowed = compactor.go()
      await sleep(20)
      const status = await ended(services.source, await services.source('POST', '', dataOnly))
      await compactor.rest()
      if (status.status !== 'completed') throw new Error(`backup ${number + 1} ended so: ${JSON.stringify(status)}`)
      yield await judge(services, status, allowed)
    }
    return compactor.done
  } finally {
    await compactor.end()
  }
}

async function judge(
  { source, empty, restored }: CampaignServices,
  status: Json,
  allowed: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<CampaignResult> {
  const id = String(status.backup_id)
  const verify = await ended(source, await source('POST', `/${id}/verify`, { level: 'deep' }))
  if (verify.verified !== 'deep') throw new Error(`the verify of ${id} ended so: ${JSON.stringify(verify)}`)
  rmSync(restored, { recursive: true, force: true })
  const request = { backup_id: id, confirm: true, restore_metadata: false }
  const restore = await ended(empty, await empty('POST', '/restore', request))
  if (restore.outcome !== 'completed') throw new Error(`the restore of ${id} ended so: ${JSON.stringify(restore)}`)
  await source('DELETE', `/${id}`)
  const found = await rowsOf(restored)
  const wrong: string[] = []
  for (const [partition, states] of allowed) {
    const rows = found.get(partition) ?? '0 0 0'
    if (!states.has(rows)) wrong.push(`${partition} has ${rows}, the source had ${[...states].join(' or ')}`)
  }
  for (const partition of found.keys()) if (!allowed.has(partition)) wrong.push(`${partition} was never there`)
  return {
    passes: Number(status.settled_passes),
    replaced: Number(status.replaced_files),
    consumed: Number(status.consumed_inputs_skipped),
    files: Number(status.total_files),
    rows: [...found.values()].reduce((sum, rows) => sum + Number(rows.split(' ')[0]), 0),
    wrong,
  }
}

/** Waits for the end of what a service has begun. */
async function ended(call: Call, { operation_id: id }: Json): Promise<Json> {
  for (;;) {
    const status = await call('GET', `/operations/${id}`)
    if (status.status !== 'running') return status
    await sleep(10)
  }
}

/** Count, sum, and sum of squares of the ids in each partition: a row that is lost or there twice changes them. */
async function rowsOf(root: string): Promise<Map<string, string>> {
  const rows = await query(`
    SELECT regexp_extract(filename, '/(metrics/[a-z]+/[0-9]+/[0-9]+/[0-9]+)/', 1), count(*), sum(id), sum(id * id)
    FROM read_parquet('${root}/**/[!.]*.parquet', filename = true) GROUP BY 1`)
  return new Map(rows.map(([partition = '', ...numbers]) => [partition, numbers.join(' ')]))
}

class CompactorProcess {
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>
  /** What rows each partition has, as it was told last. */
  readonly #rows = new Map<string, string>()
  /** What rows each had since the last `go`. */
  #states = new Map<string, Set<string>>()
  #rested: () => void = () => {}
  #failed: (error: Error) => void = () => {}
  #resting: Promise<void>
  done: Readonly<Record<string, number>> = {}

  constructor(storage: string, seed: number) {
    const program = fileURLToPath(import.meta.resolve('./compactor.js'))
    this.#resting = this.#nextRest()
    this.#child = fork(program, [storage, String(seed)])
    this.#exit = once(this.#child, 'exit').then(([code]) => {
      this.#failed(new Error(`the compactor ended with ${code}`))
    })
    this.#child.on('message', (message: CompactorMessage) => this.#hear(message))
  }

  /** Lets it work. Answers the states that each partition has from now on: the set grows. */
  go(): ReadonlyMap<string, ReadonlySet<string>> {
    this.#states = new Map([...this.#rows].map(([partition, rows]) => [partition, new Set([rows])]))
    this.#resting = this.#nextRest()
    this.#child.send('go')
    return this.#states
  }

  /** Waits until it does nothing, and everything that it did was told. */
  async rest(): Promise<void> {
    this.#child.send('rest')
    await this.#resting
  }

  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    await this.#exit
  }

  #nextRest(): Promise<void> {
    const rest = new Promise<void>((resolve, reject) => {
      this.#rested = resolve
      this.#failed = reject
    })
    rest.catch(() => {})
    return rest
  }

  #hear(message: CompactorMessage): void {
    if (message.kind === 'resting') {
      this.done = message.done
      this.#rested()
      return
    }
    this.#rows.set(message.partition, message.rows)
    const states = this.#states.get(message.partition) ?? new Set(['0 0 0'])
    this.#states.set(message.partition, states.add(message.rows))
  }
}
