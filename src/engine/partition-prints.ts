import { dataPartitionOf } from '../format/data-path.js'
import { type Batch, etagsOf, pathsOf } from './batch.js'

interface Print {
  files: number
  sum: number
  other: number
}

/** A partition and its numbers, as they cross a thread's boundary. */
export type PrintRow = readonly [partition: string, files: number, sum: number, other: number]

/**
 * What is in each day partition, as three numbers: two lists with the same numbers hold the same versions of the same files, in whatever order. So
 * two listings of any length are compared in memory that grows with the number of partitions only.
 */
export class PartitionPrints {
  readonly #prints = new Map<string, Print>()

  /** @param isIn says which files of the batch count; all of them where it is absent. */
  add(batch: Batch, isIn?: (index: number) => boolean): void {
    const etags = etagsOf(batch)
    eachInPartition(batch, (path, partition, index) => {
      if (isIn && !isIn(index)) return
      const print = this.#prints.get(partition) ?? { files: 0, sum: 0, other: 0 }
      if (print.files === 0) this.#prints.set(partition, print)
      const version = `${path}\0${batch.sizes[index]}\0${batch.mtimesNs[index]}\0${etags[index] ?? ''}`
      const [one, two] = hash(version)
      print.files += 1
      print.sum = (print.sum + one) >>> 0
      print.other = (print.other + two) >>> 0
    })
  }

  rows(): PrintRow[] {
    return [...this.#prints].map(([partition, { files, sum, other }]) => [partition, files, sum, other])
  }

  /** Adds what another one has, of other files. */
  merge(rows: readonly PrintRow[]): void {
    for (const [partition, files, sum, other] of rows) {
      const print = this.#prints.get(partition)
      if (print) {
        print.files += files
        print.sum = (print.sum + sum) >>> 0
        print.other = (print.other + other) >>> 0
      } else this.#prints.set(partition, { files, sum, other })
    }
  }

  /** Partitions that are not the same in both. @param isIn says which of these partitions count; all of them where it is absent. */
  differing(others: PartitionPrints, isIn: (partition: string) => boolean = () => true): Set<string> {
    const found = new Set<string>()
    for (const [partition, { files, sum, other }] of this.#prints) {
      if (!isIn(partition)) continue
      const print = others.#prints.get(partition)
      if (print?.files !== files || print.sum !== sum || print.other !== other) found.add(partition)
    }
    for (const partition of others.#prints.keys()) if (!this.#prints.has(partition)) found.add(partition)
    return found
  }
}

/** Calls `visit` for each file of a batch that is in a day partition. */
export function eachInPartition(
  batch: Pick<Batch, 'paths'>,
  visit: (path: string, partition: string, index: number) => void,
): void {
  // Files of one folder come one after another: most need no look at their folders.
  let [folder, partition]: [string, string | null] = ['', null]
  for (const [index, path] of pathsOf(batch).entries()) {
    const slash = path.lastIndexOf('/')
    if (slash !== folder.length || !path.startsWith(folder)) {
      folder = path.slice(0, slash)
      partition = asOwn(dataPartitionOf(path))
    }
    if (partition !== null) visit(path, partition, index)
  }
}

/** A string of its own: V8 keeps a part of a string by keeping the whole, here the text of a batch. For 10,000 partitions that made 160 MiB. */
function asOwn(part: string | null): string | null {
  return part && Buffer.from(part).toString()
}

/** Two independent hashes of 32 bits: FNV-1a, and a multiplicative one, each with its bits mixed at the end. */
function hash(text: string): [number, number] {
  let [one, two] = [0x811c9dc5, 0x9e3779b9]
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    one = Math.imul(one ^ code, 0x01000193)
    two = Math.imul(two ^ code, 0x5f356495)
  }
  return [mix(one), mix(two)]
}

function mix(value: number): number {
  const half = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  const more = Math.imul(half ^ (half >>> 13), 0xc2b2ae35)
  return (more ^ (more >>> 16)) >>> 0
}
