import t from 'tap'
import type { JournalEntry } from '../../src/engine/journal.js'
import type { OperationStatus } from '../../src/engine/operation.js'
import { Teller } from '../../src/http/teller.js'
import { Engine, running } from './scene.js'

/** An engine with a journal, newest last, of which some are live. */
class Ground extends Engine {
  record: OperationStatus[] = []
  liveIds: string[] = []

  override live() {
    return this.record.filter(({ operationId }) => this.liveIds.includes(operationId))
  }

  override operations(limit: number): JournalEntry[] {
    return [...this.record].reverse().slice(0, limit).map(entryOf)
  }

  override operation(id: string): JournalEntry {
    const status = this.record.find(({ operationId }) => operationId === id)
    return status ? entryOf(status) : super.operation(id)
  }

  set(status: OperationStatus, live = true): void {
    this.record = [...this.record.filter(({ operationId }) => operationId !== status.operationId), status]
    if (!live) return
    const others = this.live().filter(({ operation }) => operation !== status.operation)
    this.liveIds = [...others.map(({ operationId }) => operationId), status.operationId]
  }
}

const entryOf = (status: OperationStatus): JournalEntry => ({ status, request: {}, caller: 'x', resumable: false })
const [a, b, c, v] = ['00000000000a', '00000000000b', '00000000000c', '00000000000d']
const backup = (operationId: string, more: Partial<OperationStatus> = {}): OperationStatus => ({
  ...running,
  operationId,
  ...more,
})
const ended = (status: OperationStatus, at = '2026-11-23T10:31:00Z'): OperationStatus => ({
  ...status,
  status: 'completed',
  outcome: 'completed',
  phase: 'done',
  completedAt: at,
})
const failed = (status: OperationStatus): OperationStatus => ({ ...ended(status), status: 'failed', outcome: 'failed' })

/** All that is to be told now, by event and operation. */
function tell(teller: Teller): string[] {
  const told: string[] = []
  for (let event = teller.next(); event; event = teller.next()) told.push(`${event.event} ${event.id.split('.')[0]}`)
  return told
}

t.test('an operation from its first phase to its end', async (t) => {
  const ground = new Ground()
  const teller = new Teller(ground)
  t.equal(teller.next(), null, 'nothing ran')
  ground.set(backup(a, { phase: 'listing' }))
  const first = teller.next()
  t.match(first, { event: 'phase', id: `${a}.listing.12.4000` })
  t.match(JSON.parse(first?.data ?? ''), { operation_id: a, phase: 'listing', event_id: first?.id })
  t.equal(teller.next(), null, 'nothing is told twice')
  ground.set(backup(a, { phase: 'listing', processedBytes: 5000 }))
  t.match(teller.next(), { event: 'progress', id: `${a}.listing.12.5000` })
  ground.set(backup(a, { phase: 'copying', processedBytes: 5000 }))
  t.match(teller.next(), { event: 'phase' })
  ground.set(backup(a, { processedBytes: 5000, bytesPerSecond: 7 }))
  t.match(teller.next(), { event: 'progress' }, 'a rate is news too')
  ground.set(ended(backup(a)))
  t.match(teller.next(), { event: 'completed', id: `${a}.done.12.4000` })
  t.equal(teller.next(), null)
  ground.set(failed(backup(b)))
  t.match(teller.next(), { event: 'failed' }, 'also one of which nothing was seen before')
  t.same(tell(teller), [])
})

t.test('a new client learns what runs, and not what has long ended', async (t) => {
  const ground = new Ground()
  ground.set(ended(backup(a)))
  t.same(tell(new Teller(ground)), [])
  ground.set(backup(b))
  t.same(tell(new Teller(ground)), [`phase ${b}`])
  t.same(tell(new Teller(ground, 'nonsense')), [`phase ${b}`], 'an id of nothing on record is none')
  t.same(tell(new Teller(ground, `${c}.copying.1.1`)), [`phase ${b}`])
})

t.test('more than one that came and went between two looks', async (t) => {
  const ground = new Ground()
  const teller = new Teller(ground)
  ground.set(backup(a))
  t.same(tell(teller), [`phase ${a}`])
  ground.set(ended(backup(a)))
  ground.set(failed(backup(b)))
  ground.set(backup(c))
  t.same(tell(teller), [`completed ${a}`, `failed ${b}`, `phase ${c}`])
  t.same(tell(teller), [])
})

t.test('a client that was away goes on where it was, also after a restart', async (t) => {
  const ground = new Ground()
  ground.set(ended(backup(a)), false)
  ground.set(failed(backup(b)), false)
  ground.set(ended(backup(c)), false)
  t.same(tell(new Teller(ground, `${a}.copying.1.1`)), [`completed ${a}`, `failed ${b}`, `completed ${c}`])
  t.same(tell(new Teller(ground, `${a}.done.1.1`)), [`failed ${b}`, `completed ${c}`])
  t.same(tell(new Teller(ground, a)), [`completed ${a}`, `failed ${b}`, `completed ${c}`], 'the id of the operation')
  t.same(tell(new Teller(ground, `${c}.done.12.4000`)), [])
  const last = backup('00000000000e')
  ground.set(last)
  t.same(tell(new Teller(ground, `${c}.done.12.4000`)), [`phase ${last.operationId}`])
  t.same(tell(new Teller(ground, `${last.operationId}.copying.0.0`)), [`progress ${last.operationId}`])
})

t.test('a verify beside a backup: both are told of, in turn', async (t) => {
  const ground = new Ground()
  const teller = new Teller(ground)
  const verify = (more: Partial<OperationStatus> = {}) => backup(v, { operation: 'verify', ...more })
  ground.set(backup(a))
  ground.set(verify())
  t.same(tell(teller), [`phase ${a}`, `phase ${v}`])
  const seen: string[] = []
  for (let bytes = 1; bytes <= 4; bytes += 1) {
    ground.set(backup(a, { processedBytes: bytes }))
    ground.set(verify({ processedBytes: bytes }))
    seen.push(teller.next()?.id.split('.')[0] ?? '')
  }
  t.same(seen, [a, v, a, v], 'one at a time, the one that waits longest')
  ground.set(backup(a, { phase: 'sealing' }))
  ground.set(ended(verify()))
  t.same(tell(teller), [`completed ${v}`, `phase ${a}`], 'ends before phases')
  ground.set(ended(backup(a)))
  t.same(tell(new Teller(ground, `${v}.done.1.1`)), [`completed ${a}`], 'it ended after the verify began')
  const early = ended(backup(a), '2026-11-23T10:30:00Z')
  ground.record = [early, ended(verify())]
  t.same(tell(new Teller(ground, `${v}.done.1.1`)), [], 'it ended before')
})

t.test('a resumed operation begins anew', async (t) => {
  const ground = new Ground()
  const teller = new Teller(ground)
  ground.set(failed(backup(a)))
  t.same(tell(teller), [`failed ${a}`])
  ground.set(backup(a))
  t.same(tell(teller), [`phase ${a}`])
})
