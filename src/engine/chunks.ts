import type { FileState, Inventory, InventoryRow } from './inventory.js'

/** At most this many files, or about this many bytes, go to a thread at once: a task costs 80 µs, a small file 30 µs. */
const filesPerChunk = 256
const bytesPerChunk = 32 << 20

/** Says when the inventory has more rows, and when it has all of them. */
export class Listing {
  #done = false
  #failure: unknown = null
  #wake: (() => void)[] = []

  get done(): boolean {
    return this.#done
  }

  /** More rows are in the inventory. */
  advance(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }

  /** All rows are in the inventory, or the source can't be listed further. */
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

/** Rows of the inventory in chunks for the threads, as they are listed. Only a file at the end of the listing goes in a chunk that is not full. */
export async function* chunkRows(
  inventory: Inventory,
  listing: Listing,
  state?: FileState,
): AsyncGenerator<InventoryRow[], void, undefined> {
  let after = 0
  for (;;) {
    const complete = listing.done
    const rows = inventory.rows(after, filesPerChunk, state)
    if (rows.length < filesPerChunk && !complete) {
      await listing.more()
      continue
    }
    if (complete) await listing.more()
    if (rows.length === 0) return
    for (const chunk of splitBySize(rows)) {
      yield chunk
      after = chunk.at(-1)?.id ?? after
    }
  }
}

function* splitBySize(rows: InventoryRow[]): Generator<InventoryRow[], void, undefined> {
  let chunk: InventoryRow[] = []
  let bytes = 0
  for (const row of rows) {
    if (chunk.length > 0 && bytes + row.size > bytesPerChunk) {
      yield chunk
      chunk = []
      bytes = 0
    }
    chunk.push(row)
    bytes += row.size
  }
  if (chunk.length > 0) yield chunk
}

/** A listing that is complete from the start: everything is in the inventory already. */
export function completeListing(): Listing {
  const listing = new Listing()
  listing.finish()
  return listing
}
