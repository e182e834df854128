import type { JournalEntry } from '../engine/journal.js'
import type { OperationStatus, Phase } from '../engine/operation.js'
import { isServiceError } from '../errors.js'
import { toGoJson } from './json.js'
import type { Operations } from './operations.js'
import { positionOf, statusBody } from './responses.js'

/** `completed` and `failed` are the ends that a status has, too. */
export interface ToldEvent {
  readonly event: 'phase' | 'progress' | 'completed' | 'failed'
  readonly id: string
  /** A status as `/status` answers it, on one line. */
  readonly data: string
}

/** Ends that a client is told of after it was away; what is older, the journal has. */
const mostMissed = 100
const ranks = { completed: 0, failed: 0, phase: 1, progress: 2 } as const

/**
 * Finds the next event for one client, each time it is asked: ends before phases before progress. Nothing waits for a client but the ends that it missed: who
 * is asked rarely tells the newest of what changed. What was told is in the id of the last event, so that a client goes on where it was also after a
 * restart of the service.
 */
export class Teller {
  readonly #operations: Operations
  readonly #told = new Map<string, { phase: Phase; data: string; turn: number }>()
  /** Newest operation on record that was looked at. */
  #newest: string | undefined
  #missed: OperationStatus[] = []
  /** Ends that came while the client was away have not been looked for yet. */
  #isBack: boolean
  #turns = 0

  /** @param last id of the last event that the client has, or of the operation that it waits for */
  constructor(operations: Operations, last = '') {
    this.#operations = operations
    const [id = '', phase] = last.split('.')
    const known = find(operations, id)
    this.#newest = known ? id : operations.operations(1)[0]?.status.operationId
    this.#isBack = known !== undefined
    if (known) this.#remember(known, (phase ?? 'listing') as Phase)
    for (const status of operations.live()) {
      const began = known?.startedAt
      // Of two that ran beside each other the end may be told twice, rather than never.
      const isOld = began === undefined || Date.parse(status.completedAt ?? '') < Date.parse(began)
      if (status.operationId !== id && status.status !== 'running' && isOld) this.#remember(status, 'done')
    }
  }

  next(): ToldEvent | null {
    const live = this.#operations.live()
    this.#catchUp(live)
    const [missed] = this.#missed.splice(0, 1)
    const status = missed ?? this.#mostUrgent(live)
    if (!status) return null
    const told = { event: this.#kindOf(status), id: positionOf(status), data: dataOf(status) }
    if (live.some(({ operationId }) => operationId === status.operationId)) {
      this.#remember(status, status.phase, told.data)
    } else this.#told.delete(status.operationId)
    return told
  }

  /** What came and went since the last look, and what was under way then and is no longer looked after. */
  #catchUp(live: readonly OperationStatus[]): void {
    const isLive = (id: string): boolean => live.some(({ operationId }) => operationId === id)
    for (const [id, { phase }] of this.#told) {
      if (isLive(id)) continue
      this.#told.delete(id)
      const status = phase === 'done' ? undefined : find(this.#operations, id)
      if (status && status.status !== 'running') this.#missed.push(status)
    }
    const isKnown = ({ operationId }: OperationStatus): boolean =>
      this.#told.has(operationId) || operationId === this.#newest
    if (!this.#isBack && live.every(isKnown)) return
    this.#isBack = false
    const entries = this.#operations.operations(mostMissed)
    const seen = entries.findIndex(({ status }) => status.operationId === this.#newest)
    const newer = (seen < 0 ? entries : entries.slice(0, seen)).map(({ status }: JournalEntry) => status).reverse()
    this.#missed.push(...newer.filter(({ operationId, status }) => status !== 'running' && !isLive(operationId)))
    this.#newest = entries[0]?.status.operationId
  }

  #mostUrgent(live: readonly OperationStatus[]): OperationStatus | undefined {
    const rank = (status: OperationStatus): number => ranks[this.#kindOf(status)]
    const turn = ({ operationId }: OperationStatus): number => this.#told.get(operationId)?.turn ?? 0
    const changed = live.filter((status) => {
      const told = this.#told.get(status.operationId)
      if (!told || told.phase !== status.phase) return true
      return status.status === 'running' && told.data !== dataOf(status)
    })
    return changed.sort((a, b) => rank(a) - rank(b) || turn(a) - turn(b))[0]
  }

  #kindOf({ operationId, status, phase }: OperationStatus): ToldEvent['event'] {
    if (status !== 'running') return status
    return this.#told.get(operationId)?.phase === phase ? 'progress' : 'phase'
  }

  #remember({ operationId }: OperationStatus, phase: Phase, data = ''): void {
    this.#turns += 1
    this.#told.set(operationId, { phase, data, turn: this.#turns })
  }
}

function dataOf(status: OperationStatus): string {
  return toGoJson(statusBody(status))
}

function find(operations: Operations, id: string): OperationStatus | undefined {
  if (id === '') return undefined
  try {
    return operations.operation(id).status
  } catch (error) {
    if (isServiceError(error, 'NOT_FOUND')) return undefined
    throw error
  }
}
