import { spawn } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { mountTmpfs } from '../support/mount.js'
import { asNobody } from '../support/nobody.js'
import { startTestService, type TestService } from '../support/service.js'
import { hashTree } from '../support/tree.js'

/** On a file system of its own: where blocks can be shared a copy takes no time, and nothing moves meanwhile. */
async function startElsewhere(t: Test): Promise<TestService & { backups: string }> {
  const backups = mountTmpfs(t, '320m')
  return { ...(await startTestService(t, { env: { ARC_BACKUP_LOCAL_PATH: backups } })), backups }
}

t.test('a source that moves all the while: what is listed is whole', async (t) => {
  const { folder, backups, call, settled, service } = await startElsewhere(t)
  const storage = `${folder}/data/arc`
  const big = `${storage}/metrics/cpu/big.parquet`
  writeFileSync(big, Buffer.alloc(96 << 20, 1))
  let moving = true
  const mover = (async () => {
    for (let turn = 0; moving && turn < 40; turn += 1) {
      appendFileSync(big, 'grows')
      writeFileSync(`${storage}/metrics/cpu/short-lived.parquet`, `${turn}`)
      await sleep(5)
      truncateSync(big, statSync(big).size - 3)
      rmSync(`${storage}/metrics/cpu/short-lived.parquet`)
      await sleep(5)
    }
  })()
  const { json } = await call('POST', '')
  await mover
  moving = false
  const status = await settled()
  t.match(status, { status: 'completed', skipped_files: 0 })
  const copy = hashTree(`${backups}/${json.backup_id}/data`)
  const live = hashTree(storage)
  t.equal(copy['metrics/cpu/big.parquet'], live['metrics/cpu/big.parquet'], 'read again until it stood still')
  await service.close()
})

t.test('a file that never stands still fails the backup and is named', async (t) => {
  const { folder, backups, call, settled, service } = await startElsewhere(t)
  const big = `${folder}/data/arc/metrics/cpu/big.parquet`
  writeFileSync(big, Buffer.alloc(128 << 20, 1))
  // A process of its own: this one is busy copying.
  const toucher = spawn('sh', ['-c', 'while :; do touch "$0"; done', big])
  t.teardown(() => toucher.kill('SIGKILL'))
  await call('POST', '')
  const status = await settled()
  toucher.kill('SIGKILL')
  t.match(status, { status: 'failed', error_code: 'SOURCE_CHANGED', error: /big\.parquet.*changed while it was read/ })
  t.same(readdirSync(backups), [])
  await service.close()
})

t.test('an unreadable file is named, counted as skipped, and bounded by max_skipped', async (t) => {
  const { folder, run, call } = await startTestService(t)
  const first = await run('')
  const data = `${folder}/data`
  for (const path of readdirSync(folder, { recursive: true })) chownSync(`${folder}/${path}`, 65534, 65534)
  chownSync(folder, 65534, 65534)
  const hours = ['00', '01', '02', '03', '04'].map((hour) => {
    const at = `${data}/arc/metrics/cpu/2026/01/01/${hour}`
    return `${at}/${readdirSync(at)[0]}`
  })
  for (const [index, path] of hours.entries()) {
    chownSync(path, 0, 0)
    chmodSync(path, 0o600)
    const status = await asNobody(() => run('', { incremental: false }))
    const skipped = index + 1
    // 10 % of 36 files are 3.
    if (skipped > 3) {
      t.match(status, {
        status: 'failed',
        error: `backup failed: ${skipped} of 36 files were unreadable (>10%), source storage may be degraded`,
      })
      continue
    }
    t.match(status, { status: 'completed', outcome: 'gaps', skipped_files: skipped, processed_files: 36 - skipped })
    const { json: manifest } = await call('GET', `/${status.backup_id}`)
    t.match(manifest, { skipped_files: skipped, total_files: 36 - skipped })
    t.ok((manifest.skipped_sample as string[]).some((sample) => path.endsWith(sample)))
  }
  t.equal(first.outcome, 'completed')
})
