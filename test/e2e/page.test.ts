import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import t, { type Test } from 'tap'
import { openView, type View } from '../support/browser.js'
import { adminToken, arcBackupId, copyFixture, facts } from '../support/fixture.js'
import { recordRun } from '../support/scheduled.js'
import { startTestService } from '../support/service.js'
import { hashTree } from '../support/tree.js'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe finds serious or worse, by its rules' names; and whether something sticks out of the window. */
async function checkView(t: Test, { page }: View, name: string): Promise<void> {
  for (const scheme of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
    await page.evaluate(axe)
    const violations = (await page.evaluate(
      'axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) => [id, impact, nodes[0].html]))',
    )) as [string, string, string][]
    t.same(
      violations.filter(([, impact]) => impact === 'serious' || impact === 'critical'),
      [],
      `${name}, ${scheme}`,
    )
  }
  await page.setViewport({ width: 360, height: 740 })
  t.ok(
    await page.evaluate('document.documentElement.scrollWidth <= innerWidth'),
    `${name} does not scroll sideways on a phone`,
  )
  await page.setViewport({ width: 1200, height: 900 })
}

const schedule = {
  ARC_BACKUP_SCHEDULE_CRON: '0 3 1 1 *',
  ARC_BACKUP_SCHEDULE_TIMEZONE: 'Europe/Berlin',
  ARC_BACKUP_SCHEDULE_VERIFY: 'quick',
}

/** Arc's folder, with a run of the schedule on record. */
function scheduledFolder(t: Test): string {
  const folder = t.testdir({})
  copyFixture(folder)
  recordRun(`${folder}/data/arc-backup`, schedule, { daysAgo: 3, outcome: 'gaps', note: 'why', missed: 2 })
  return folder
}

t.test('the page at work: sign in, back up, verify, restore one database, look at the journal, delete', async (t) => {
  const { folder, service, call } = await startTestService(t, {
    folder: scheduledFolder(t),
    env: { ...schedule, ARC_BACKUP_BANDWIDTH_LIMIT: '4GB/s', ARC_BACKUP_PRIORITY: 'low' },
  })
  const storage = `${folder}/data/arc`
  const view = await openView(t, service.url)
  const { page, reads, click, fill } = view
  await reads('Admin token of Arc')
  await checkView(t, view, 'sign-in')
  await view.signIn(adminToken)
  await reads('1 backup, newest first')
  await reads(/Next run\s+\d{4}-\d\d-\d\d \d\d:00:00\s+Schedule\s+0 3 1 1 \*, Europe\/Berlin to local, verify quick/)
  await reads(
    /Last run\s+3 d ago\s+completed with gaps\s+2 more missed\s+why\s+Limits\s+4GB\/s, .* of memory, 2 threads, low priority/,
  )
  t.equal(await page.evaluate('location.search + location.hash'), '', 'no token in the address')
  t.equal(await page.evaluate('localStorage.length + document.cookie.length'), 0, 'nor where it would outlive the tab')

  await click('New backup')
  await reads('Start backup')
  await checkView(t, view, 'new backup')
  await click('Start backup')
  await reads(/2 backups, newest first/)
  await reads(/Backup backup-\S+\s+completed/)
  await checkView(t, view, 'backups')
  const { json } = await call('GET', '')
  const id = String((json.backups as { backup_id: string }[])[0]?.backup_id)
  t.not(id, arcBackupId)

  await click(id)
  await reads('disk-io')
  await click('Start verify')
  await reads(/Verify backup-\S+\s+completed/)
  await reads(/Verified\s+full just now/)
  await checkView(t, view, 'backup')

  const before = hashTree(storage)
  rmSync(`${storage}/metrics/cpu`, { recursive: true })
  rmSync(`${storage}/alpha_iot`, { recursive: true })
  await click('Restore…')
  await reads('Show what would change')
  await click('alpha_iot')
  await reads('Some databases only')
  await click('Show what would change')
  await reads(/New – in the backup, not here\s+6\s/)
  await reads(/The same – here already\s+12\s/)
  await reads(/arc\.db: stays as it is \(not asked for\)/)
  await checkView(t, view, 'restore')
  const start = await page.waitForSelector('::-p-aria(Start restore)')
  t.equal(
    await start?.evaluate((button) => (button as { disabled?: boolean }).disabled),
    true,
    'not before the name is typed',
  )
  await fill(`Type ${id} to restore it over the live data`, id)
  await click('Start restore')
  await reads(/Restore backup-\S+\s+completed/)
  t.same(
    hashTree(storage),
    Object.fromEntries(Object.entries(before).filter(([path]) => path.startsWith('metrics/'))),
    'the one database, and no other',
  )

  await click('Journal')
  await reads('Operations, newest first')
  await reads(/restore\s+backup-\S+\s+completed/)
  await checkView(t, view, 'journal')

  await click('Backups')
  await click(id)
  await click('Delete…')
  await reads('Delete this backup?')
  await checkView(t, view, 'delete')
  await click('Delete backup')
  await reads('1 backup, newest first')
  t.equal((await call('GET', `/${id}`)).status, 404)
  t.same(view.problems, [], 'the browser has nothing to complain of, the policy for content included')
})

t.test('what was planned does not hold any more: it is said, and nothing is restored', async (t) => {
  const { folder, service } = await startTestService(t)
  const view = await openView(t, service.url)
  const { reads, click, fill } = view
  await view.signIn(adminToken)
  await click(arcBackupId)
  await click('Restore…')
  await click('Show what would change')
  await reads('What this restore would do')
  writeFileSync(`${folder}/data/arc/metrics/cpu/2026/01/01/00/new.parquet`, 'flushed since')
  await fill(`Type ${arcBackupId} to restore it over the live data`, arcBackupId)
  await click('Start restore')
  await reads('the plan does not hold any more')
  await reads('files kept: 0 when it was planned, 1 now')
  t.notMatch(await view.text(), 'What this restore would do', 'it has to be looked at again')
})

t.test('a wrong token, and one that may not', async (t) => {
  const { service } = await startTestService(t)
  const view = await openView(t, service.url)
  await view.signIn('wrong')
  await view.reads('Invalid or expired token')
  const reader = Object.entries(facts.tokens).find(([name]) => /read/.test(name))?.[1] ?? ''
  t.not(reader, '')
  await view.signIn(reader)
  await view.reads('admin required')
  t.equal(await view.page.evaluate('sessionStorage.length'), 0)
  await view.signIn(adminToken)
  await view.reads('newest first')
  await view.page.reload()
  await view.reads('newest first')
  await view.click('Sign out')
  await view.reads('Admin token of Arc')
  await view.page.reload()
  await view.reads('Admin token of Arc')
})

t.test('a lost connection says so, and comes back by itself', async (t) => {
  const first = await startTestService(t)
  const port = new URL(first.service.url).port
  const view = await openView(t, first.service.url)
  await view.signIn(adminToken)
  await view.reads('1 backup, newest first')
  await first.service.close()
  await view.reads('The connection to the service is lost')
  t.match(await view.text(), '1 backup, newest first', 'what was known stays')
  const again = await startTestService(t, { folder: first.folder, env: { ARC_BACKUP_PORT: port } })
  const { backup_id } = await again.run('')
  await view.reads('2 backups, newest first')
  await view.reads(String(backup_id))
  t.notMatch(await view.text(), 'The connection to the service is lost')
})

t.test('a running backup is watched and cancelled, by keyboard alone', async (t) => {
  const { folder, service, settled } = await startTestService(t, { env: { ARC_BACKUP_BANDWIDTH_LIMIT: '32MB/s' } })
  for (let index = 0; index < 8; index += 1) {
    writeFileSync(`${folder}/data/arc/metrics/cpu/big${index}.parquet`, Buffer.alloc(64 << 20, index))
  }
  const view = await openView(t, service.url)
  const { page } = view
  await page.waitForSelector('input')
  const tabTo = async (name: string) => {
    for (let steps = 0; steps < 30; steps += 1) {
      await page.keyboard.press('Tab')
      if ((await page.evaluate('document.activeElement.innerText ?? ""')) === name) return
    }
    throw new Error(`${name} can't be reached by keyboard`)
  }
  await page.keyboard.press('Tab')
  await page.keyboard.type(adminToken)
  await page.keyboard.press('Enter')
  await view.reads('New backup')
  await tabTo('New backup')
  await page.keyboard.press('Enter')
  await view.reads('Start backup')
  await tabTo('Start backup')
  await page.keyboard.press('Enter')
  await page.waitForSelector('progress')
  await view.reads(/Rate\s+[\d.]+ [KM]iB\/s/)
  await tabTo('Cancel backup')
  await page.keyboard.press('Enter')
  await view.reads(/Backup backup-\S+\s+cancelled/)
  t.match(await settled(), { outcome: 'cancelled' })
})
