import { cpSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { inspect } from 'node:util'
import t from 'tap'
import { checkConfigText, loadConfig } from '../../src/config/load.js'
import { usualMemoryLimit } from '../../src/config/memory.js'
import { settingsWith } from '../../src/config/settings.js'
import { parseConfig } from '../../src/config/source.js'
import { ServiceError } from '../../src/errors.js'
import { root } from '../support/root.js'

function refusal(run: () => unknown): ServiceError {
  try {
    run()
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'CONFIG_INVALID') return error
    throw error
  }
  throw new Error('nothing was refused')
}

t.test('an empty file gives the defaults, with absolute paths, ms and shares', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '' })
  const local = { name: 'local', store: { kind: 'local', root: `${cwd}/data/backups` }, locked: true }
  t.strictSame(loadConfig({ cwd, env: {} }), {
    file: `${cwd}/arc.toml`,
    log: { level: 'info', format: 'json' },
    server: { host: '', port: 8000, portKey: 'server.port', tls: null, readTimeoutMs: 30_000, idleTimeoutMs: 120_000 },
    auth: {
      enabled: true,
      dbPath: `${cwd}/data/arc.db`,
      cacheTtlMs: 300_000,
      maxCacheSize: 1000,
      bootstrapToken: null,
    },
    storage: { store: { kind: 'local', root: `${cwd}/data/arc` }, localPath: `${cwd}/data/arc` },
    databases: [{ name: 'arc', path: `${cwd}/data/arc.db` }],
    backup: {
      targets: [local],
      defaultTarget: local,
      includeConfig: true,
      statePath: `${cwd}/data/arc-backup`,
      enabled: true,
      operationTimeoutMs: 7_200_000,
      onInterrupt: 'resume',
      incremental: true,
      rehashAfterMs: 30 * 86_400_000,
      keepReplacedMs: 259_200_000,
      lockTtlMs: 60_000,
      transfers: null,
      workers: Math.min(availableParallelism(), 256),
      memoryLimit: usualMemoryLimit(),
      bandwidthLimit: null,
      priority: 'normal',
      maxSkipped: 0.1,
      settlePasses: 5,
      schedule: null,
      announce: { command: null, webhook: null },
    },
    excluded: [],
    uncovered: ['rows that Arc still holds in its buffers are in no backup until Arc has written them to files'],
    warnings: [],
  })
})

t.test('every key reaches its place', async (t) => {
  const cwd = t.testdir({
    'arc.toml': `
[server]
host = "10.1.2.3"
port = 1
read_timeout = 5
idle_timeout = 6
[log]
level = "Warning"
format = "console"
[auth]
enabled = true
db_path = "/a/arc.db"
cache_ttl = 7
max_cache_size = 8
bootstrap_token = "0123456789abcdef0123456789abcdef"
[storage]
backend = " Local "
local_path = "/a/arc"
[backup]
enabled = false
local_path = "/b"
host = "[::1]"
port = 9
operation_timeout = "1h30m"
on_interrupt = "clean"
incremental = false
rehash_after = "7d"
keep_replaced = "1h"
lock_ttl = "15s"
workers = 3
transfers = 12
state_path = "/c"
max_skipped = "2.5%"
settle_passes = 7
`,
  })
  const config = loadConfig({ cwd, env: {} })
  t.match(config, {
    log: { level: 'warn', format: 'console' },
    server: { host: '::1', port: 9, portKey: 'backup.port', readTimeoutMs: 5000, idleTimeoutMs: 6000 },
    auth: { dbPath: '/a/arc.db', cacheTtlMs: 7000, maxCacheSize: 8 },
    storage: { localPath: '/a/arc' },
    backup: {
      enabled: false,
      defaultTarget: { name: 'local', store: { kind: 'local', root: '/b' } },
      statePath: '/c',
      operationTimeoutMs: 5_400_000,
      onInterrupt: 'clean',
      incremental: false,
      rehashAfterMs: 7 * 86_400_000,
      keepReplacedMs: 3_600_000,
      lockTtlMs: 15_000,
      workers: 3,
      transfers: 12,
      maxSkipped: 0.025,
      settlePasses: 7,
    },
  })
  t.equal(config.auth.bootstrapToken?.reveal(), '0123456789abcdef0123456789abcdef')
  t.equal(loadConfig({ cwd, env: { ARC_LOG_LEVEL: 'panic' } }).log.level, 'fatal')
})

t.test(
  'the environment wins over the file, an empty variable does not; names in the file are in any case',
  async (t) => {
    const cwd = t.testdir({ 'arc.toml': '[SERVER]\nPort = 8001\n[Backup]\nMAX_SKIPPED = "5%"\n' })
    t.match(loadConfig({ cwd, env: {} }), { server: { port: 8001 }, backup: { maxSkipped: 0.05 } })
    const env = { ARC_SERVER_PORT: '8002', ARC_BACKUP_MAX_SKIPPED: '0', ARC_AUTH_ENABLED: 'T' }
    t.match(loadConfig({ cwd, env }), { server: { port: 8002 }, backup: { maxSkipped: 0 }, auth: { enabled: true } })
    t.equal(loadConfig({ cwd, env: { ARC_SERVER_PORT: '' } }).server.port, 8001)
  },
)

t.test('a file that is named, relative to the current folder; it must be there', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '[server]\nport = 1', 'other.toml': '[server]\nport = 2' })
  t.match(loadConfig({ cwd, env: {}, file: 'other.toml' }), { file: `${cwd}/other.toml`, server: { port: 2 } })
  const { message } = refusal(() => loadConfig({ cwd, env: {}, file: 'missing.toml' }))
  t.equal(message, `cannot read the configuration file ${cwd}/missing.toml: there is no such file`)
})

t.test('the file in $HOME/.arc, where the current folder has none', async (t) => {
  const home = t.testdir({ '.arc': { 'arc.toml': '[log]\nlevel = "debug"' }, cwd: {} })
  const found = loadConfig({ cwd: `${home}/cwd`, env: { HOME: home } })
  // A machine where Arc is installed has a file in /etc/arc, which comes first.
  if (found.file !== '/etc/arc/arc.toml') t.match(found, { file: `${home}/.arc/arc.toml`, log: { level: 'debug' } })
  t.match(loadConfig({ cwd: home, home, env: {}, file: '.arc/arc.toml' }), { log: { level: 'debug' } })
})

t.test('all that is wrong is told at once, with file, line, key, value and what was expected', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '[server]\nport = "8000"\n\n[backup]\nworkers = 0\nlocal_path = "./data"\n' })
  const error = refusal(() => loadConfig({ cwd, env: { ARC_AUTH_ENABLED: 'yes' } }))
  t.strictSame(error.message.split('\n').slice(1), [
    `  ${cwd}/arc.toml:2: server.port is "8000", expected a whole number from 0 to 65535`,
    '  environment variable ARC_AUTH_ENABLED (auth.enabled) is "yes", expected true or false',
    `  ${cwd}/arc.toml:5: backup.workers is 0, expected a whole number from 1 to 256`,
    `  ${cwd}/arc.toml:6: backup.local_path is "./data", expected a folder that is neither the storage root ${cwd}/data/arc nor above it`,
  ])
  t.equal((error.detail.problems as string[]).length, 4)
})

t.test('an empty bootstrap token is none', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '[auth]\nbootstrap_token = ""\n' })
  t.equal(loadConfig({ cwd, env: {} }).auth.bootstrapToken, null)
})

t.test('a secret is nowhere to be seen', async (t) => {
  const sentinel = 'sentinel-7f3a-bootstrap-0123456789abcdef'
  const good = t.testdir({ 'arc.toml': `[auth]\nbootstrap_token = "${sentinel}"\n` })
  const config = loadConfig({ cwd: good, env: {} })
  t.equal(config.auth.bootstrapToken?.reveal(), sentinel)
  for (const shown of [
    JSON.stringify(config),
    inspect(config, { depth: 9, showHidden: true }),
    `${config.auth.bootstrapToken}`,
  ]) {
    t.notMatch(shown, 'sentinel')
    t.match(shown, '***')
  }
  const wrong = {
    'too short': '[auth]\nbootstrap_token = "sentinel"',
    'in an array': '[auth]\nbootstrap_token = ["sentinel"]',
    'without its closing quote': `[auth]\nbootstrap_token = "${sentinel}\n`,
    'without quotes': `[auth]\nbootstrap_token = ${sentinel}\n`,
    'set twice': `[auth]\nbootstrap_token = "${sentinel}"\nbootstrap_token = "${sentinel}"\n`,
    'set twice in capitals': `[auth]\nbootstrap_token = "${sentinel}"\nBOOTSTRAP_TOKEN = "${sentinel}"\n`,
    'and another mistake': `[auth]\nbootstrap_token = "${sentinel}"\nenabled = 1\n`,
    'under a key of ours that does not exist': `[backup]\ntoken = "${sentinel}"\nport = -1\n`,
  }
  for (const [name, toml] of Object.entries(wrong)) {
    const error = refusal(() => loadConfig({ cwd: t.testdir({ 'arc.toml': toml }), env: {} }))
    t.notMatch(inspect(error, { depth: 9 }), 'sentinel-7f3a', name)
    t.notMatch(inspect(error, { depth: 9 }), '"sentinel', name)
  }
  const fromEnv = refusal(() => loadConfig({ cwd: good, env: { ARC_AUTH_BOOTSTRAP_TOKEN: 'sentinel' } }))
  t.match(
    fromEnv.message,
    'ARC_AUTH_BOOTSTRAP_TOKEN (auth.bootstrap_token) is ***, expected a text of at least 32 characters',
  )
})

t.test('the configuration cannot be changed, at any depth', async (t) => {
  const config = loadConfig({ cwd: t.testdir({ 'arc.toml': '' }), env: {} })
  const unfrozen: string[] = []
  const visit = (value: unknown, name: string): void => {
    if (typeof value !== 'object' || value === null) return
    if (!Object.isFrozen(value)) unfrozen.push(name)
    for (const [key, part] of Object.entries(value)) visit(part, `${name}.${key}`)
  }
  visit(config, 'config')
  t.strictSame(unfrozen, [])
})

t.test('the file of a real Arc', async (t) => {
  const cwd = t.testdir()
  cpSync(`${root}/test/fixtures/arc-26.09.1/arc.toml`, `${cwd}/arc.toml`)
  const config = loadConfig({ cwd, env: {} })
  t.match(config, {
    server: { port: 8199, portKey: 'server.port' },
    storage: { localPath: `${cwd}/data/arc` },
    auth: { enabled: true, dbPath: `${cwd}/data/arc.db` },
    backup: { enabled: true, defaultTarget: { store: { root: `${cwd}/data/backups` } } },
  })
  t.strictSame([config.warnings, config.excluded, config.databases.length], [[], [], 1])
})

t.test('low priority leaves half of the cores to others, unless the number of workers is set', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '[backup]\npriority = "low"' })
  const half = Math.max(1, Math.floor(Math.min(availableParallelism(), 256) / 2))
  t.match(loadConfig({ cwd, env: {} }).backup, { priority: 'low', workers: half })
  t.match(loadConfig({ cwd, env: { ARC_BACKUP_WORKERS: '5' } }).backup, { priority: 'low', workers: 5 })
})

t.test('our sample works as it is, and shows the defaults', async (t) => {
  const cwd = t.testdir({ empty: { 'arc.toml': '' } })
  cpSync(`${root}/arc.toml`, `${cwd}/arc.toml`)
  const sample = loadConfig({ cwd, env: {} })
  t.strictSame([sample.warnings, sample.server.port, sample.server.portKey], [[], 8010, 'backup.port'])
  const { auth, backup, storage } = loadConfig({ cwd, file: 'empty/arc.toml', env: {} })
  t.strictSame({ auth: sample.auth, backup: sample.backup, storage: sample.storage }, { auth, backup, storage })
})

t.test('what our sample shows as a comment is known too', async (t) => {
  const shown = readFileSync(`${root}/arc.toml`, 'utf8').replaceAll(/^# (?=\[[\w.]+\]$|\w+ = )/gm, '')
  const file = parseConfig(shown, 'arc.toml')
  const known = settingsWith(file.targets).shape
  t.strictSame(file.targets, ['nas', 'offsite', 'blobs'])
  t.strictSame(
    [...file.values.keys()].filter((key) => !Object.hasOwn(known, key)),
    [],
  )
  for (const [backend, target] of [
    ['s3', 'blobs'],
    ['azure', 'offsite'],
  ]) {
    const env = { ARC_STORAGE_BACKEND: backend, ARC_BACKUP_DEFAULT_TARGET: target, ARC_SERVER_TLS_ENABLED: 'false' }
    const secrets = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key', ARC_STORAGE_AZURE_SAS_TOKEN: 'sig=x' }
    t.doesNotThrow(() => checkConfigText(shown, { ...env, ...secrets }), `${backend} to ${target}`)
  }
})

t.test('a text that is to become arc.toml', async (t) => {
  t.doesNotThrow(() =>
    checkConfigText('[server]\ntls_enabled = true\ntls_cert_file = "/not/here"\n[mqtt]\nenabled = true'),
  )
  t.match(refusal(() => checkConfigText('[log]\nlevel = "loud"')).message, 'arc.toml:2: log.level is "loud"')
  t.match(refusal(() => checkConfigText('[storage]\nlocal_path = "/etc"')).message, 'storage.local_path is "/etc"')
  t.match(refusal(() => checkConfigText('[log\n')).message, 'arc.toml:1: this line is not valid TOML')
})
