import { fork } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { sets, writeSet } from './sets.js'
import { Stage } from './stage.js'
import { percentile } from './statistics.js'

/** Does the API answer while it works? Another process asks for the status at a fixed rate, a third writes to arc.db, the small set is backed up and restored. */
export async function measureLatency(folder: string): Promise<void> {
  const stage = await Stage.open(folder)
  const helpers = ['latency-probe.js', 'database-writer.js'].map((name) => {
    const { url, token } = stage.access('backup')
    return fork(fileURLToPath(new URL(name, import.meta.url)), [url, token, stage.database])
  })
  try {
    const [small] = sets
    if (!small) throw new Error('there is no small set')
    writeSet(stage.source, small)
    for (let round = 0; round < 3; round += 1) {
      const { id } = await stage.backUp()
      await stage.restore(id)
      await stage.delete(id)
    }
    const [probe] = helpers
    if (!probe) throw new Error('the probe did not start')
    probe.send('tell')
    const [latencies] = (await once(probe, 'message')) as [number[]]
    const [p50, p95, p99, max] = [0.5, 0.95, 0.99, 1].map((share) => percentile(latencies, share).toFixed(1))
    console.log(
      `\nGET /status, 20 a second, ${latencies.length} requests: p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, longest ${max} ms`,
    )
    console.log(JSON.stringify({ latency: { requests: latencies.length, p50, p95, p99, max } }))
  } finally {
    for (const helper of helpers) helper.kill('SIGKILL')
    await stage.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
