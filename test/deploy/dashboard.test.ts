import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startMinio } from '../servers/minio.js'
import { type Prometheus, type Series, startPrometheus } from '../servers/prometheus.js'
import { startProxy } from '../servers/proxy.js'
import { copyFixture } from '../support/fixture.js'
import { root } from '../support/root.js'
import { recordRun } from '../support/scheduled.js'
import { startTestService } from '../support/service.js'

const deploy = `${root}deploy/`

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string; readonly instant?: boolean }[]
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { name: string; type: string; query: { query: string } }[] }
}

const dashboard = JSON.parse(readFileSync(`${deploy}/grafana/arc-backup.json`, 'utf8')) as Dashboard

t.test('Prometheus scrapes the service, and answers all that the dashboard asks', async (t) => {
  const minio = await startMinio(t)
  const { bucket, credentials } = await minio.bucket()
  const proxy = await startProxy(t, minio.port, { unavailableEvery: 7 })
  const schedule = { ARC_BACKUP_SCHEDULE_CRON: '0 3 1 1 *', ARC_BACKUP_SCHEDULE_TIMEZONE: 'UTC' }
  const folder = t.testdir({})
  copyFixture(folder)
  recordRun(`${folder}/data/arc-backup`, schedule, { daysAgo: 1, outcome: 'completed', note: null, missed: 0 })
  const service = await startTestService(t, {
    folder,
    env: {
      ...schedule,
      ARC_BACKUP_WORKERS: '1',
      ARC_BACKUP_DEFAULT_TARGET: 'local',
      ARC_BACKUP_TARGET_NAMES: 'offsite',
      ARC_BACKUP_TARGETS_OFFSITE_TYPE: 's3',
      ARC_BACKUP_TARGETS_OFFSITE_S3_BUCKET: bucket,
      ARC_BACKUP_TARGETS_OFFSITE_S3_ENDPOINT: proxy.url,
      ARC_BACKUP_TARGETS_OFFSITE_S3_PATH_STYLE: 'true',
      ARC_BACKUP_TARGETS_OFFSITE_S3_ACCESS_KEY: credentials?.accessKeyId,
      ARC_BACKUP_TARGETS_OFFSITE_S3_SECRET_KEY: credentials?.secretAccessKey,
    },
  })
  // So much that operations are seen while they run.
  const big = `${service.folder}/data/arc/metrics/cpu/big.parquet`
  writeFileSync(big, '')
  truncateSync(big, 512 << 20)

  const prometheus = await startPrometheus(t, `${deploy}/prometheus`, (config) =>
    config.replaceAll('15s', '100ms').replace('arc-backup:8010', new URL(service.service.url).host),
  )

  const start = Date.now() / 1000
  const { backup_id } = await service.run('')
  t.match(await service.run(''), { outcome: 'completed' })
  t.match(await service.run('', { target: 'offsite', databases: ['alpha_iot'] }), { outcome: 'completed' })
  await verified(service, `${backup_id}`)
  t.match(await service.run('/restore', { backup_id, confirm: true }), { outcome: 'completed' })
  await sleep(1500)
  const end = Date.now() / 1000

  const variables = await resolveVariables(prometheus)
  t.same(variables.target, 'local|offsite')
  const questions = dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, instant }) => ({ title, expr: fill(expr, variables), instant })),
  )
  t.ok(questions.length > 20)
  for (const { title, expr, instant } of questions) {
    const found = instant ? await prometheus.instant(expr) : await prometheus.range(expr, start, end)
    t.ok(hasData(found), `${title}: ${expr}`)
  }
  const retries = await prometheus.instant('sum by (store) (arc_backup_store_retries_total) > 0')
  t.match(retries, [{ metric: { store: 'target:offsite' } }], 'and one of them was made to try again')

  const { groups } = (await prometheus.get('rules')) as { groups: { rules: { name: string; health: string }[] }[] }
  t.same(new Set(groups.flatMap(({ rules }) => rules.map(({ health }) => health))), new Set(['ok']))
  t.same(await raised(prometheus), [])
  const hour = `${service.folder}/data/backups/${backup_id}/data/metrics/cpu/2026/01/01/00`
  writeFileSync(`${hour}/${readdirSync(hour)[0]}`, 'damaged')
  await verified(service, `${backup_id}`)
  for (let tries = 0; tries < 300 && (await raised(prometheus)).length === 0; tries += 1) await sleep(100)
  t.same(await raised(prometheus), ['ArcBackupDamaged'])

  const metrics = await (await fetch(`${service.service.url}/metrics`)).text()
  const lint = spawnSync('promtool', ['check', 'metrics'], { input: metrics, encoding: 'utf8' })
  t.equal(lint.status, 0, `names and help are as Prometheus wants them: ${lint.stdout}${lint.stderr}`)
})

async function verified({ call }: Awaited<ReturnType<typeof startTestService>>, id: string): Promise<void> {
  const { json } = await call('POST', `/${id}/verify`)
  while ((await call('GET', `/operations/${json.operation_id}`)).json.status === 'running') await sleep(20)
}

/** As Grafana does with All chosen: each in its turn, since a later one may ask with an earlier one. */
async function resolveVariables(prometheus: Prometheus): Promise<Record<string, string>> {
  const found: Record<string, string> = { __rate_interval: '2s', __range: '1m' }
  for (const { name, type, query } of dashboard.templating.list) {
    if (type !== 'query') continue
    const [, series = '', label] = /^label_values\((.*), (\w+)\)$/.exec(query.query) ?? []
    const values = (await prometheus.get(`label/${label}/values`, { 'match[]': fill(series, found) })) as string[]
    found[name] = values.join('|')
  }
  return found
}

function fill(expression: string, variables: Record<string, string>): string {
  return expression.replaceAll(/\$(\w+)/g, (_, name: string) => {
    const value = variables[name]
    if (value === undefined) throw new Error(`no variable ${name}: ${expression}`)
    return value
  })
}

function hasData(series: readonly Series[]): boolean {
  return series.some(({ values }) => values.some(([, value]) => Number.isFinite(Number(value))))
}

async function raised(prometheus: Prometheus): Promise<string[]> {
  const { alerts } = (await prometheus.get('alerts')) as { alerts: { labels: { alertname: string }; state: string }[] }
  return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname)
}
