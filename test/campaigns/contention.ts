import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Owner } from '../servers/owner.js'
import type { Place } from '../support/place.js'
import { program } from '../support/root.js'
import type { Body, Victim } from './crash.js'
import { type CrashStore, configure, destination, startVictim } from './crash-ground.js'

/** Two services and the command line, each with its own Arc and its own state, that write to one destination. */
export interface Arena {
  readonly services: readonly [Contestant, Contestant]
  readonly target: Place
  readonly store: CrashStore
  uploads(): readonly string[]
  /** `arc-backup backup` from its start to its end. */
  commandLine(): Promise<Attempt>
}

export interface Contestant {
  victim: Victim
  restart(): Promise<void>
}

/** What became of one request to write. */
export interface Attempt {
  readonly by: string
  /** Of a backup that was let in. */
  readonly backupId?: string
  readonly operation?: string
  /** What who was refused was told. */
  readonly refused?: string
  /** Who holds the lock, as far as who was refused was told. */
  readonly heldBy?: string
}

export interface Round {
  readonly kind: 'contention' | 'take-over' | 'pause'
  readonly winners: number
  readonly losers: number
  readonly wrong: readonly string[]
}

export async function makeArena(owner: Owner, folder: string, store: CrashStore, mib = 48): Promise<Arena> {
  const { lines, target, uploads } = await destination(owner, folder, store)
  const home = (name: string): string => {
    const own = `${folder}/${name}`
    mkdirSync(`${own}/data/arc/db/m`, { recursive: true })
    for (let index = 0; index < 8; index += 1) {
      writeFileSync(`${own}/data/arc/db/m/${name}${index}.parquet`, Buffer.alloc((mib << 20) / 8, index))
    }
    // So that nobody has copied everything before somebody else has come to ask.
    configure(own, lines, ['bandwidth_limit = "64MB/s"'])
    return own
  }
  const contestant = async (name: string): Promise<Contestant> => {
    const own = home(name)
    const made: Contestant = {
      victim: await startVictim(owner, own),
      restart: async () => {
        made.victim = await startVictim(owner, own)
      },
    }
    return made
  }
  const line = home('line')
  const commandLine = async (): Promise<Attempt> => {
    const child = spawn(process.execPath, [program, 'backup', '--json'], {
      cwd: line,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    owner.teardown(() => void child.kill('SIGKILL'))
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (text += String(bytes)))
    const [code] = await once(child, 'close')
    const by = 'the command line'
    if (code === 3) return { by, refused: text, ...holderIn(text) }
    const id = /backup-\d{8}-\d{6}-[0-9a-f]{8}/.exec(text)?.[0]
    if (code !== 0 || id === undefined) throw new Error(`the command line ended with ${code}: ${text}`)
    return { by, backupId: id }
  }
  return { services: [await contestant('first'), await contestant('second')], target, store, uploads, commandLine }
}

function holderIn(text: string): { heldBy?: string } {
  const heldBy = /by operation (\w+)/.exec(text)?.[1]
  return heldBy === undefined ? {} : { heldBy }
}

/** Until so many rounds had a loser: everybody wants to write at once. */
export async function* contend(
  arena: Arena,
  { rounds, random }: { rounds: number; random: () => number },
): AsyncGenerator<Round, void, undefined> {
  for (let round = 0; round < rounds; ) {
    const attempts = await Promise.all([
      arena.commandLine(),
      // The command line takes its time to start.
      ...arena.services.map(async ({ victim }, index) => {
        await sleep(random() * 900)
        return request(victim, `service ${index}`)
      }),
    ])
    const winners = attempts.filter(({ backupId }) => backupId !== undefined)
    const losers = attempts.length - winners.length
    const wrong = [...(await judgeWinners(arena, winners)), ...judgeLosers(attempts)]
    if (losers === 0 && wrong.length === 0) continue
    round += 1
    yield { kind: 'contention', winners: winners.length, losers, wrong }
  }
}

/** A holder that is killed: exactly one of two who wait gets the lock, and the dead one's backup goes on later. */
export async function* takeOver(arena: Arena, rounds: number): AsyncGenerator<Round, void, undefined> {
  const [first, second] = arena.services
  for (let round = 0; round < rounds; round += 1) {
    const wrong: string[] = []
    const { backupId = '', operation } = await request(first.victim, 'the holder')
    await reach(first.victim, 'copying')
    await first.victim.kill()
    // Who was killed comes back at once, while somebody else writes, or later.
    const back = round % 2 === 0 ? insist(second.victim, () => first.restart()) : insist(second.victim)
    const [a, b] = await Promise.all([back, arena.commandLine().catch(() => null)])
    if (arena.store !== 'local' && !a.told.includes(String(operation))) wrong.push('nobody was told of the dead holder')
    const winners = [a.attempt, ...(b?.backupId === undefined ? [] : [b])]
    wrong.push(...(await judgeWinners(arena, winners, [backupId])))
    if (round % 2 !== 0) await first.restart()
    const deadline = Date.now() + 60_000
    for (let listed = false; !listed; listed = (await backupsOf(first.victim)).includes(backupId)) {
      if (Date.now() > deadline) {
        wrong.push(`the backup of the holder that was killed did not go on: ${backupId}`)
        break
      }
      await sleep(50)
    }
    wrong.push(...(await judgeWinners(arena, [{ by: 'the holder', backupId }])))
    yield { kind: 'take-over', winners: winners.length, losers: 1, wrong }
  }
}

/** A holder that stands still for longer than a lock holds: on local disk it holds it all the same, elsewhere it has lost it and does not commit. */
export async function* pauseHolder(arena: Arena, rounds: number): AsyncGenerator<Round, void, undefined> {
  const [first, second] = arena.services
  for (let round = 0; round < rounds; round += 1) {
    const wrong: string[] = []
    const { backupId = '', operation = '' } = await request(first.victim, 'the holder')
    await reach(first.victim, 'copying')
    first.victim.pause()
    let winners: Attempt[] = []
    if (arena.store === 'local') {
      for (let tries = 0; tries < 15; tries += 1) {
        const attempt = await request(second.victim, 'the other')
        if (attempt.heldBy !== operation) wrong.push(`not refused in favour of the holder: ${JSON.stringify(attempt)}`)
        await sleep(300)
      }
    } else {
      winners = [(await insist(second.victim)).attempt]
    }
    first.victim.goOn()
    const { outcome, error_code } = await ended(first.victim, operation)
    const expected = arena.store === 'local' ? 'completed' : 'failed LOCK_LOST'
    const found = outcome === 'completed' ? 'completed' : `${outcome} ${error_code}`
    if (found !== expected) wrong.push(`the holder that stood still ended ${found}, not ${expected}`)
    if (arena.store === 'local') winners = [{ by: 'the holder', backupId }]
    wrong.push(...(await judgeWinners(arena, winners)))
    yield { kind: 'pause', winners: winners.length, losers: 1, wrong }
  }
}

async function request(victim: Victim, by: string): Promise<Attempt> {
  const answer = await victim.call('POST', '')
  const { backup_id, operation_id, status, held_by, error } = answer
  if (held_by !== undefined) return { by, refused: String(error), heldBy: String((held_by as Body).operation) }
  // Its own slot is taken still, by the cleaning after the round before.
  if (backup_id === undefined && answer.operation !== undefined) {
    return { by, refused: String(error), heldBy: String(answer.operation) }
  }
  if (status !== 'running' || backup_id === undefined) throw new Error(`${by}: ${JSON.stringify(answer)}`)
  const operation = operation_id ?? (await victim.call('GET', '/status')).operation_id
  return { by, backupId: String(backup_id), operation: String(operation) }
}

/** Asks until it is let in; answers who was named meanwhile, too. */
async function insist(victim: Victim, then = async () => {}): Promise<{ attempt: Attempt; told: string[] }> {
  const told: string[] = []
  for (;;) {
    const attempt = await request(victim, 'who waits')
    if (attempt.refused === undefined) {
      await then()
      await ended(victim, String(attempt.operation))
      return { attempt, told }
    }
    told.push(String(attempt.heldBy))
    await sleep(100)
  }
}

/** A loser is told one thing: that somebody writes, and who. */
function judgeLosers(attempts: readonly Attempt[]): string[] {
  return attempts.flatMap(({ by, refused, heldBy }) =>
    refused !== undefined && heldBy === undefined && !/by somebody else/.test(refused)
      ? [`${by} was not told who writes: ${refused}`]
      : [],
  )
}

/** Every backup that was let in is whole, at no instant two of them were being written, and nothing else is there. Removes them. */
async function judgeWinners(
  arena: Arena,
  winners: readonly Attempt[],
  unfinished: readonly string[] = [],
): Promise<string[]> {
  const wrong: string[] = []
  const [{ victim }, other] = arena.services
  const spans: { by: string; from: number; to: number }[] = []
  const judge = unfinished.length > 0 ? other.victim : victim
  for (const { by, backupId, operation } of winners) {
    if (operation !== undefined) {
      for (const service of arena.services) {
        const status = await ended(service.victim, operation).catch(() => null)
        if (!status || (status.error !== undefined && status.outcome === undefined)) continue
        if (status.outcome !== 'completed') wrong.push(`${by}: ${JSON.stringify(status)}`)
        spans.push({ by, from: Date.parse(String(status.started_at)), to: Date.parse(String(status.completed_at)) })
      }
    }
    const started = await judge.call('POST', `/${backupId}/verify`, { level: 'full' })
    const verified = await ended(judge, String(started.operation_id))
    if (verified.outcome !== 'completed') wrong.push(`${by}: ${backupId} does not verify: ${JSON.stringify(verified)}`)
  }
  spans.sort((a, b) => a.from - b.from)
  for (const [index, span] of spans.entries()) {
    const next = spans[index + 1]
    // An end is noted a little after the lock was given back.
    if (next && next.from < span.to - 50)
      wrong.push(`${span.by} and ${next.by} wrote at once, for ${span.to - next.from} ms`)
  }
  const known = new Set([...winners.map(({ backupId }) => backupId), ...unfinished])
  for (const folder of await arena.target.folders()) if (!known.has(folder)) wrong.push(`${folder} is nobody's`)
  for (const { backupId } of winners) {
    for (const deadline = Date.now() + 60_000; (await judge.call('DELETE', `/${backupId}`)).held_by !== undefined; ) {
      if (Date.now() > deadline) throw new Error(`${backupId} could not be removed: somebody writes all the while`)
      await sleep(50)
    }
  }
  if (unfinished.length === 0 && arena.uploads().length > 0) wrong.push(`uploads in parts: ${arena.uploads()}`)
  return wrong
}

async function reach(victim: Victim, phase: string): Promise<void> {
  for (;;) {
    const status = await victim.call('GET', '/status')
    if (status.phase === phase && Number(status.processed_bytes) > 0) return
    if (status.status !== 'running') throw new Error(`it ended before ${phase}: ${JSON.stringify(status)}`)
    await sleep(2)
  }
}

async function ended(victim: Victim, operation: string): Promise<Body> {
  for (;;) {
    const status = await victim.call('GET', `/operations/${operation}`)
    if (status.status !== 'running') return status
    await sleep(10)
  }
}

async function backupsOf(victim: Victim): Promise<string[]> {
  const { backups } = (await victim.call('GET', '')) as { backups: { backup_id: string }[] }
  return backups.map(({ backup_id }) => backup_id)
}
