import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../src/config/load.js'
import { createLog } from '../src/log.js'
import { startService } from '../src/service.js'
import { launchBrowser, type View, viewOf } from '../test/support/browser.js'
import { recordRun } from '../test/support/scheduled.js'

/** `npm run pictures`: each view of the page, light and dark, wide and on a phone, into docs/page/. */
const folder = mkdtempSync(join(tmpdir(), 'arc-backup-pictures-'))
const out = process.argv[2] ?? 'docs/page'
mkdirSync(out, { recursive: true })
// From the repository's root: what is compiled has no fixtures beside it.
cpSync('test/fixtures/arc-26.09.1', folder, { recursive: true })
const { tokens } = JSON.parse(readFileSync(`${folder}/facts.json`, 'utf8')) as { tokens: { bootstrap_admin: string } }
const storage = `${folder}/data/arc`
for (let index = 0; index < 24; index += 1) {
  writeFileSync(`${storage}/metrics/cpu/big${index}.parquet`, Buffer.alloc(64 << 20, index))
}
const schedule = {
  ARC_BACKUP_SCHEDULE_CRON: '0 3 * * *',
  ARC_BACKUP_SCHEDULE_TIMEZONE: 'UTC',
  ARC_BACKUP_SCHEDULE_VERIFY: 'quick',
  ARC_BACKUP_SCHEDULE_PRUNE_KEEP_DAILY: '7',
}
// Its run is on record, and covers what was due until now.
recordRun(`${folder}/data/arc-backup`, schedule, { daysAgo: 0.4, outcome: 'completed', note: null, missed: 0 })
const env = { ...schedule, ARC_BACKUP_PORT: '0', ARC_BACKUP_HOST: '127.0.0.1', ARC_BACKUP_WORKERS: '1' }
const config = loadConfig({ cwd: folder, env, home: folder })
const service = await startService(config, createLog({ level: 'silent', format: 'json' }))
const browser = await launchBrowser()
try {
  const view = await viewOf(await browser.newPage(), service.url)
  await view.reads('Admin token of Arc')
  await picture(view, 'sign-in')
  await view.signIn(tokens.bootstrap_admin)
  await view.reads('1 backup,')
  await view.click('New backup')
  await view.reads('Start backup')
  await picture(view, 'new-backup')
  await view.click('Start backup')
  await view.page.waitForSelector('.chart polyline')
  await sleep(1500)
  await picture(view, 'progress')
  await view.reads('completed')
  const id = newest()
  await view.click(id)
  await view.reads('Measurement')
  await view.click('Start verify')
  await view.reads('full')
  await view.reads(/Verify backup-\S+\s+completed/)
  await view.page.evaluate("location.assign('#/')")
  await view.reads('2 backups,')
  await picture(view, 'backups')
  await picture(view, 'backups-dark', { dark: true })
  await picture(view, 'backups-phone', { phone: true })
  await view.click(id)
  await view.reads('Measurement')
  await picture(view, 'backup')
  rmSync(`${storage}/alpha_iot/cpu`, { recursive: true })
  writeFileSync(`${storage}/alpha_iot/mem/2026/01/01/00/mem_20260101_040000_1_b0_compacted.parquet`, 'merged')
  await view.click('Restore…')
  await view.click('Show what would change')
  await view.reads('What this restore would do')
  await picture(view, 'restore')
  await picture(view, 'restore-dark-phone', { dark: true, phone: true })
  await view.page.evaluate("location.assign('#/journal')")
  await view.reads('Operations, newest first')
  await picture(view, 'journal')
} finally {
  await browser.close()
  await service.close()
  rmSync(folder, { recursive: true })
}

async function picture({ page }: View, name: string, { dark = false, phone = false } = {}): Promise<void> {
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }])
  await page.setViewport({ width: phone ? 390 : 1200, height: phone ? 844 : 800 })
  await page.evaluate('scrollTo(0, 0)')
  await sleep(200)
  await page.screenshot({ path: `${out}/${name}.png`, fullPage: true })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }])
  await page.setViewport({ width: 1200, height: 800 })
}

function newest(): string {
  return (
    readdirSync(`${folder}/data/backups`)
      .filter((name) => name.startsWith('backup-'))
      .sort()
      .at(-1) ?? ''
  )
}
