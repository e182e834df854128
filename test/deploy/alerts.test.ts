import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { checkInstalled } from '../servers/prometheus.js'
import { root } from '../support/root.js'

const folder = `${root}deploy/prometheus/`

interface Rules {
  readonly groups: { readonly rules: { readonly alert: string }[] }[]
}

interface Tests {
  readonly tests: { readonly alert_rule_test: { readonly alertname: string; readonly exp_alerts: unknown[] }[] }[]
}

function promtool(t: Test, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: folder, encoding: 'utf8' })
  t.equal(status, 0, `promtool ${args.join(' ')}: ${stdout}${stderr}`)
}

t.test('the rules are rules, and raise what they should when they should', async (t) => {
  checkInstalled()
  promtool(t, 'check', 'config', 'prometheus.yml')
  promtool(t, 'check', 'rules', 'alerts.yml')
  promtool(t, 'test', 'rules', 'alerts.test.yml')
})

t.test('each alert is seen raised, and not raised', async (t) => {
  const { groups } = parse(readFileSync(`${folder}/alerts.yml`, 'utf8')) as Rules
  const { tests } = parse(readFileSync(`${folder}/alerts.test.yml`, 'utf8')) as Tests
  const tried = tests.flatMap(({ alert_rule_test }) => alert_rule_test)
  const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert))
  t.ok(alerts.length > 0)
  for (const alert of alerts) {
    const counts = tried.filter(({ alertname }) => alertname === alert).map(({ exp_alerts }) => exp_alerts.length)
    t.ok(counts.includes(0), `${alert} not raised`)
    t.ok(
      counts.some((count) => count > 0),
      `${alert} raised`,
    )
  }
})
