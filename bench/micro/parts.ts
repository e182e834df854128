import { mkdirSync, rmSync } from 'node:fs'
import { formatTable } from '../../src/cli/table.js'
import { describeMachine } from '../machine.js'
import { spread } from '../statistics.js'
import { chunking } from './chunking.js'
import { hashing } from './hashing.js'
import { inventory } from './inventory.js'
import { listing } from './listing.js'
import type { MakePart } from './part.js'
import { sidecar } from './sidecar.js'

const makers: readonly MakePart[] = [listing, chunking, hashing, inventory, sidecar]

/** What does each part of a backup of many files take by itself, on one thread? */
export async function measureParts(folder: string, runs: number): Promise<void> {
  const rows: string[][] = []
  for (const make of makers) {
    mkdirSync(folder, { recursive: true })
    for (const { name, files, bytes, run } of make(folder)) {
      const times: number[] = []
      for (let round = 0; round <= runs; round += 1) {
        const began = performance.now()
        await run()
        // The first round warms up.
        if (round > 0) times.push(performance.now() - began)
      }
      const rate =
        bytes === undefined
          ? ''
          : spread(
              times.map((ms) => (bytes / 2 ** 20 / ms) * 1000),
              0,
            )
      rows.push([name, String(files), spread(times.map((ms) => (ms * 1000) / files)), rate])
    }
    rmSync(folder, { recursive: true })
  }
  console.log(`\n${describeMachine()}; ${runs} runs; median (least–greatest)\n`)
  console.log(formatTable([['PART', 'FILES', 'µs a file', 'MiB/s'], ...rows]))
}
