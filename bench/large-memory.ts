import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import type { Cleanup } from './cleanup.js'
import { writeLargeFile } from './large-file.js'
import { Stage } from './stage.js'
import { type StoreKind, startStoreServer } from './store-server.js'

const path = 'db/m/2026/01/01/00/m_20260101_000000_000000001.parquet'
const mib = 1 << 20
/** Bytes that the peak of the large file may be above that of the small one. */
const goal = 64 * mib

/** Does memory grow with the size of a file? One of 64 MiB and one of 4 GiB, up and down, each with a server and services of their own. */
export async function measureLargeMemory(cleanup: Cleanup, kind: StoreKind, folder: string): Promise<void> {
  const peaks: { up: number; down: number }[] = []
  for (const size of [64 * mib, 4096 * mib]) {
    await cleanup.within(async (own) => {
      const home = `${folder}/${size / mib}`
      const server = await startStoreServer(own, kind, folder)
      const stage = await Stage.open(home, { target: (await server.place()).table(), server: () => server.pid })
      own.teardown(() => stage.close())
      const expected = writeLargeFile(`${stage.source}/${path}`, size)
      const up = await stage.backUp()
      // Room for the copy that comes back.
      rmSync(stage.source, { recursive: true })
      const down = await stage.restore(up.id)
      const [found] = execFileSync('sha256sum', [`${stage.restored}/${path}`], { encoding: 'utf8' }).split(' ')
      if (found !== expected) throw new Error(`a file of ${size} bytes came back with another content`)
      rmSync(home, { recursive: true })
      peaks.push({ up: up.memory, down: down.memory })
      const text = ({ memory, wall, cpu }: typeof down): string =>
        `${(memory / mib).toFixed(0)} MiB at most, ${wall.toFixed(1)} s, ${cpu.toFixed(1)} s of CPU`
      console.log(`one file of ${size / mib} MiB, ${kind}: up ${text(up)}; down ${text(down)}`)
    })
  }
  const [small, large] = peaks
  if (!small || !large) return
  for (const way of ['up', 'down'] as const) {
    const more = large[way] - small[way]
    console.log(
      `${way}: ${(more / mib).toFixed(0)} MiB more, wanted at most ${goal / mib}: ${more <= goal ? 'reached' : 'MISSED'}`,
    )
  }
}
