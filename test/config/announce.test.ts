import { writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/load.js'

const sentinel = 'SENTINEL-webhook-secret'

function load(t: Test, toml: string, env: NodeJS.ProcessEnv = {}) {
  const cwd = t.testdir({ 'arc.toml': toml, 'text.txt': '', folder: {} })
  writeFileSync(`${cwd}/hook.sh`, '#!/bin/sh\n', { mode: 0o755 })
  const whole = () => loadConfig({ cwd, env })
  return { cwd, whole, run: () => whole().backup.announce }
}

t.test('nobody is told where nobody is named', async (t) => {
  t.strictSame(load(t, '').run(), { command: null, webhook: null })
})

t.test('a program, and a URL with its secret', async (t) => {
  const toml = `[backup.hooks]\ncommand = "./hook.sh"\ntimeout = "5s"\n[backup.webhook]\nurl = "https://example.org/x?${sentinel}"\nsecret = "${sentinel}"\ntimeout = "3s"\n`
  const { cwd, run } = load(t, toml)
  const { command, webhook } = run()
  t.strictSame(command, { path: `${cwd}/hook.sh`, timeoutMs: 5000 })
  t.equal(webhook?.url.reveal(), `https://example.org/x?${sentinel}`)
  t.equal(webhook?.secret.reveal(), sentinel)
  t.equal(webhook?.timeoutMs, 3000)
  t.notMatch(inspect(webhook, { showHidden: true, depth: 9 }) + JSON.stringify(webhook), 'SENTINEL')
  const env = { ARC_BACKUP_WEBHOOK_URL: 'http://127.0.0.1:1/', ARC_BACKUP_WEBHOOK_SECRET: 'sixteen-letters-' }
  t.equal(load(t, toml, env).run().webhook?.url.reveal(), 'http://127.0.0.1:1/')
})

t.test('what is wrong is told at start, a secret is not', async (t) => {
  const wrong: [toml: string, expected: RegExp][] = [
    [
      '[backup.hooks]\ncommand = "hook.sh"\ntimeout = "0"',
      /arc\.toml:3: backup\.hooks\.timeout is "0", expected a duration/,
    ],
    [
      `[backup.webhook]\nurl = "ftp://host/${sentinel}"\nsecret = "${sentinel}"`,
      /arc\.toml:2: backup\.webhook\.url is \*\*\*, expected an address/,
    ],
    [
      `[backup.webhook]\nurl = "https://u:${sentinel}@host/"\nsecret = "${sentinel}"`,
      /backup\.webhook\.url is \*\*\*, expected an address/,
    ],
    [
      '[backup.webhook]\nurl = "https://host/"',
      /arc\.toml:1: backup\.webhook\.secret is not set, expected a text of at least 16/,
    ],
    [
      '[backup.webhook]\nurl = "https://host/"\nsecret = "SENTINEL"',
      /arc\.toml:3: backup\.webhook\.secret is \*\*\*, expected a text of at least 16/,
    ],
    [`[backup.webhook]\nsecret = "${sentinel}"`, /arc\.toml:1: backup\.webhook\.url is not set, expected an address/],
  ]
  for (const [toml, expected] of wrong) {
    let shown = ''
    try {
      load(t, toml).run()
    } catch (error) {
      shown = inspect(error, { depth: 9 })
    }
    t.match(shown, expected)
    t.notMatch(shown, 'SENTINEL', toml)
  }
})

t.test('a program that is not there, or none, is a warning: it keeps nobody from restoring', async (t) => {
  for (const name of ['none.sh', 'text.txt', 'folder']) {
    const { cwd, whole } = load(t, `[backup.hooks]\ncommand = "${name}"\n`)
    const { warnings, backup } = whole()
    t.same(warnings, [`backup.hooks.command names "${cwd}/${name}", which is no program that can be executed`])
    t.equal(backup.announce.command?.path, `${cwd}/${name}`)
  }
})
