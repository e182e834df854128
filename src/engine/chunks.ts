import type { Inventory, StoredBatch } from './inventory.js'

/** Says when the inventory has more batches, and when it has all of them. */
export class Listing {
  #done = false
  #failure: unknown = null
  #wake: (() => void)[] = []

  get done(): boolean {
    return this.#done
  }

  /** More batches are in the inventory. */
  advance(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }

  /** All batches are in the inventory, or the source can't be listed further. */
  finish(failure: unknown = null): void {
    this.#done = true
    this.#failure = failure
    this.advance()
  }

  /** Resolves at the next advance. Throws what the listing failed with. */
  async more(): Promise<void> {
    if (!this.#done) await new Promise<void>((resolve) => this.#wake.push(resolve))
    if (this.#failure !== null) throw this.#failure
  }
}

/** A listing that is complete from the start: everything is in the inventory already. */
export function completeListing(): Listing {
  const listing = new Listing()
  listing.finish()
  return listing
}

/** The batches of the inventory after `after`, as they are listed. */
export async function* batchesOf(
  inventory: Inventory,
  listing: Listing,
  after = 0,
): AsyncGenerator<StoredBatch, void, undefined> {
  for (let last = after; ; ) {
    const complete = listing.done
    const batch = inventory.next(last)
    if (batch) {
      last = batch.id
      yield batch
    } else {
      await listing.more()
      if (complete) return
    }
  }
}
