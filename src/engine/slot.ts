import { hostname } from 'node:os'
import { ServiceError } from '../errors.js'
import type { OperationKind } from './operation.js'

export interface Slot {
  readonly kind: OperationKind | 'sweep'
  /** Resolves when the slot is free again; never rejects. */
  readonly ended: Promise<void>
  readonly free: () => void
  /** Id of the operation that has it, once that is known, and since when: for whoever is refused. */
  holder?: { readonly operation: string; readonly since: string }
}

/** One operation at a time. */
export class Slots {
  readonly #busy: string
  #taken: Slot | null = null
  #closed = false

  /** @param busy what the loser is told */
  constructor(busy = 'A backup or restore operation is already in progress') {
    this.#busy = busy
  }

  /** Nobody else gets in from the first line on: of a hundred requests at once one passes. @throws BUSY, UNAVAILABLE */
  enter(kind: Slot['kind']): Slot {
    if (this.#closed) throw new ServiceError('UNAVAILABLE', 'the service is shutting down')
    if (this.#taken) {
      const { kind: operation, holder } = this.#taken
      const heldBy = holder && { host: hostname(), operation: holder.operation, since: holder.since }
      throw new ServiceError('BUSY', this.#busy, { operation, ...(heldBy && { heldBy }) })
    }
    let free = (): void => {}
    const ended = new Promise<void>((resolve) => {
      free = resolve
    })
    const slot: Slot = { kind, ended, free }
    this.#taken = slot
    return slot
  }

  /** The same for a client, who can't know of a sweep and is not to be refused for one. */
  async enterAfterSweep(kind: Slot['kind']): Promise<Slot> {
    while (this.#taken?.kind === 'sweep') await this.#taken.ended
    return this.enter(kind)
  }

  leave(slot: Slot): void {
    this.#taken = null
    slot.free()
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    while (this.#taken) await this.#taken.ended
  }

  /** Nobody gets in any more. */
  close(): void {
    this.#closed = true
  }

  get taken(): boolean {
    return this.#taken !== null || this.#closed
  }

  get closed(): boolean {
    return this.#closed
  }
}
