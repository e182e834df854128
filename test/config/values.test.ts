import t from 'tap'
import { keys, type SettingsKey, settings, variableOf } from '../../src/config/settings.js'
import { parseConfig } from '../../src/config/source.js'
import { Values } from '../../src/config/values.js'
import { isServiceError } from '../../src/errors.js'

function problems(toml: string, env: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    new Values(parseConfig(toml, 'arc.toml'), env).check()
    return []
  } catch (error) {
    if (isServiceError(error, 'CONFIG_INVALID')) return error.detail.problems as string[]
    throw error
  }
}

function tomlOf(key: SettingsKey, value: string): string {
  const [, table, name] = /^(.*)\.(.*?)$/.exec(key) ?? []
  return `[${table}]\n${name} = ${value}`
}

/** TOML values, and whether a text, a boolean or a whole number is what they are. */
const samples = {
  '"some words"': 'text',
  true: 'flag',
  '12': 'integer',
  '1.5': 'none',
  nan: 'none',
  '[]': 'none',
  '{}': 'none',
  '2026-01-01': 'none',
  '2026-01-01T00:00:00Z': 'none',
} as const

const flags = keys.filter((key) =>
  /enabled$|incremental|unauthenticated$|use_ssl$|path_style$|use_managed_identity$/.test(key),
)
const integers = keys.filter((key) =>
  /port|workers|transfers|settle_passes|cache_|read_timeout|idle_timeout|\.prune\./.test(key),
)
const secrets = keys.filter((key) => /_token$|_key$|connection_string$|webhook\.(url|secret)$/.test(key))

t.test('each wrong type of each key is refused, by name and line', async (t) => {
  t.strictSame([flags.length, integers.length, secrets.length], [13, 16, 8])
  for (const key of keys) {
    const kind = flags.includes(key) ? 'flag' : integers.includes(key) ? 'integer' : 'text'
    for (const [value, is] of Object.entries(samples)) {
      if (is === kind) continue
      const [problem, ...others] = problems(tomlOf(key, value))
      t.match(problem, `arc.toml:2: ${key} is `, `${key} = ${value}`)
      t.match(problem, secrets.includes(key) ? ' is ***, expected ' : ', expected ', problem ?? '')
      t.strictSame(others, [])
    }
  }
})

t.test('values of the right type that are refused', async (t) => {
  const wrong: [SettingsKey, ...string[]][] = [
    ['server.port', '-1', '65536'],
    ['backup.port', '-1', '65536'],
    ['server.read_timeout', '0', '86401'],
    ['server.idle_timeout', '0', '86401'],
    ['log.level', '"loud"', '""'],
    ['log.format', '"xml"'],
    ['auth.db_path', '""'],
    ['auth.cache_ttl', '-1'],
    ['auth.max_cache_size', '0'],
    ['auth.bootstrap_token', '"0123456789abcdef0123456789abcde"'],
    ['storage.backend', '"tape"', '""'],
    ['storage.local_path', '"a\\u0000b"', '"a\\u001bb"', '"a\\u202eb"'],
    ['retention.db_path', '""'],
    ['continuous_query.db_path', '""'],
    ['iceberg.catalog_db_path', '""'],
    ['backup.local_path', '"a\\nb"'],
    ['backup.state_path', '""'],
    ['wal.directory', '"a\\u0000b"'],
    ['backup.operation_timeout', '"0"', '"0s"', '"-1h"', '"2"', '"2 h"', '"two hours"', '"1d"', '""', '"600h"'],
    ['backup.retry_timeout', '"0s"', '"soon"', '60'],
    ['backup.stall_timeout', '"0s"', '"-1s"', '30'],
    ['backup.workers', '0', '257', '-1'],
    ['backup.transfers', '0', '65'],
    ['backup.settle_passes', '0', '101', '-1'],
    ['backup.memory_limit', '"15MiB"', '"lots"', '"1g"', '""', '"none"'],
    ['backup.bandwidth_limit', '"200MB"', '"200Mbit/s"', '"0B/s"', '"fast"', '"-1MB/s"'],
    ['backup.priority', '"high"', '""'],
    ['backup.max_skipped', '"-1%"', '"101%"', '"10"', '"%"', '""', '"ten"', '10', '"1e1%"'],
  ]
  for (const [key, ...values] of wrong) {
    for (const value of values) t.match(problems(tomlOf(key, value)), [`arc.toml:2: ${key} is `], `${key} = ${value}`)
  }
  t.match(problems('[storage]\nbackend = "tape"'), [/expected one of "local", "s3", "minio", "azure", "azblob"$/])
})

t.test('values that are taken', async (t) => {
  const right: [SettingsKey, string, unknown][] = [
    ['log.level', '" TRACE "', 'trace'],
    ['backup.max_skipped', '"0"', 0],
    ['backup.max_skipped', '0', 0],
    ['backup.max_skipped', '"0%"', 0],
    ['backup.max_skipped', '"100%"', 1],
    ['backup.operation_timeout', '"45s"', 45_000],
    ['backup.operation_timeout', '"90m"', 5_400_000],
    ['backup.workers', '256', 256],
    ['backup.transfers', '64', 64],
    ['backup.settle_passes', '1', 1],
    ['backup.memory_limit', '"16MiB"', 16 << 20],
    ['backup.memory_limit', '"1.5GB"', 1_500_000_000],
    ['backup.bandwidth_limit', '"200MB/s"', 200_000_000],
    ['backup.bandwidth_limit', '" none "', null],
    ['backup.bandwidth_limit', '""', null],
    ['backup.priority', '" Low "', 'low'],
    ['backup.retry_timeout', '"2m"', 120_000],
    ['backup.stall_timeout', '"1.5s"', 1500],
    ['backup.default_target', '" NAS "', 'nas'],
    ['storage.s3_prefix', '" a/b "', 'a/b'],
    ['server.port', '0', 0],
    ['wal.directory', '""', ''],
  ]
  for (const [key, value, expected] of right) {
    const values = new Values(parseConfig(tomlOf(key, value), 'arc.toml'), {})
    t.equal(values.settings[key], expected, `${key} = ${value}`)
    values.check()
  }
})

t.test('booleans and numbers of the environment: what Go takes, and nothing else', async (t) => {
  for (const key of flags) {
    const variable = variableOf(key)
    for (const word of ['1', 't', 'T', 'TRUE', 'true', 'True'])
      t.equal(new Values(null, { [variable]: word }).settings[key], true)
    for (const word of ['0', 'f', 'F', 'FALSE', 'false', 'False'])
      t.equal(new Values(null, { [variable]: word }).settings[key], false)
    for (const word of ['yes', 'on', 'tRUE', ' true', 'toString']) {
      t.match(problems('', { [variable]: word }), [
        `environment variable ${variable} (${key}) is "${word}", expected true or false`,
      ])
    }
  }
  for (const key of integers) {
    const variable = variableOf(key)
    t.equal(new Values(null, { [variable]: '12' }).settings[key], 12)
    for (const word of ['0x10', '1e1', '12 ', '1.0', 'twelve', '99999999999999999999']) {
      t.match(problems('', { [variable]: word }), [
        `environment variable ${variable} (${key}) is "${word}", expected a whole number`,
      ])
    }
  }
})

t.test('a wrong value in the file does not matter where the environment has a right one', async (t) => {
  t.strictSame(problems('[server]\nport = "x"', { ARC_SERVER_PORT: '1' }), [])
  t.match(problems('[server]\nport = 1', { ARC_SERVER_PORT: 'x' }), [
    'environment variable ARC_SERVER_PORT (server.port) is "x"',
  ])
})

t.test('what should be a table', async (t) => {
  t.match(problems('server = 5\n'), ['arc.toml:1: server is 5, expected a table [server]'])
  t.match(problems('[[backup]]\nport = 1\n'), ['arc.toml:1: backup is an array, expected a table [backup]'])
  t.match(problems('[tiered_storage]\ncold = "s3"\n'), [
    'arc.toml:2: tiered_storage.cold is "s3", expected a table [tiered_storage.cold]',
  ])
  t.match(problems('[server.port]\n'), ['arc.toml:1: server.port is a table, expected a whole number'])
})

t.test('a name that stands twice in different case', async (t) => {
  t.match(problems('[server]\nport = 1\nPORT = 2\n'), ['arc.toml:2,3: server.port is set twice, expected once'])
  t.strictSame(problems('[mqtt]\na = 1\n[MQTT]\na = 2\n'), [], 'what we do not read is no problem of ours')
  t.strictSame(problems('constructor = 1\nCONSTRUCTOR = 2\n'), [])
  t.strictSame(problems('[server]\nport = 1\n[SERVER]\nhost = "::1"\n'), [], 'tables join')
})

t.test('the place of a value in an inline table is that of the table', async (t) => {
  t.match(problems('# one\nserver = { port = "x" }'), ['arc.toml:2: server.port is "x"'])
})

t.test('the tables of targets', async (t) => {
  t.match(problems('backup.targets = 5\n'), ['arc.toml:1: backup.targets is 5, expected a table [backup.targets]'])
  t.match(problems('[backup.targets]\nnas = "/b"\n'), [
    'arc.toml:2: backup.targets.nas is "/b", expected a table [backup.targets.nas]',
  ])
  t.match(problems('[backup.targets.nas]\ns3_use_ssl = "no"\n'), [
    'arc.toml:2: backup.targets.nas.s3_use_ssl is "no", expected true or false',
  ])
  t.match(problems('[backup.targets.nas]\ntype = "local"\n[backup.targets.NAS]\nTYPE = "s3"\n'), [
    'arc.toml:2,4: backup.targets.nas.type is set twice, expected once',
  ])
  t.match(problems('', { ARC_BACKUP_TARGET_NAMES: 'nas', ARC_BACKUP_TARGETS_NAS_TYPE: 'ftp' }), [
    'environment variable ARC_BACKUP_TARGETS_NAS_TYPE (backup.targets.nas.type) is "ftp", expected one of "local"',
  ])
  t.match(problems('[backup]\ntarget_names = 5\n'), ['arc.toml:2: backup.target_names is 5, expected a text in quotes'])
})

t.test('what holds in a table, by its last names', async (t) => {
  const values = new Values(
    parseConfig('[backup.targets.a]\ntype = "S3"\n[backup.targets.ab]\ntype = "local"\n', 'arc.toml'),
    {
      ARC_BACKUP_TARGETS_A_S3_PATH_STYLE: '1',
    },
  )
  t.strictSame(values.targets, ['a', 'ab'])
  t.match(values.under('backup.targets.a'), {
    type: 's3',
    s3_path_style: true,
    s3_use_ssl: true,
    s3_region: 'us-east-1',
  })
  t.match(values.under('backup.targets.ab'), { type: 'local', s3_path_style: false })
  t.match(values.under('storage'), { backend: 'local', s3_use_ssl: true })
  values.refuse('backup.targets.ab.local_path', 'a path')
  t.ok(values.holds('backup.targets.a', 'storage'))
  t.notOk(values.holds('backup.targets.ab'))
})

t.test('a key that is not set is so called, at the line of its table where there is one', async (t) => {
  const toml = '\n[storage]\n[backup.targets.nas]\ns3_bucket = ""\n'
  const values = new Values(parseConfig(toml, 'arc.toml'), {})
  values.refuse('storage.s3_bucket', 'x')
  values.refuse('backup.targets.nas.type', 'x')
  values.refuse('backup.targets.nas.s3_bucket', 'x')
  values.refuse('backup.default_target', 'x')
  values.refuse('auth.bootstrap_token', 'x')
  t.throws(() => values.check(), {
    message: [
      'the configuration cannot be used:',
      'arc.toml:2: storage.s3_bucket is not set, expected x',
      'arc.toml:3: backup.targets.nas.type is not set, expected x',
      'arc.toml:4: backup.targets.nas.s3_bucket is "", expected x',
      'arc.toml:3: backup.default_target is not set, expected x',
      'auth.bootstrap_token is not set, expected x',
    ].join('\n  '),
  })
})

t.test('a secret is not shown, nor is what a store was given that tells one', async (t) => {
  for (const [key, value] of [
    ['storage.s3_access_key', 'sentinel'],
    ['storage.s3_secret_key', 'sentinel'],
    ['storage.azure_connection_string', 'sentinel'],
    ['storage.azure_account_key', 'sentinel'],
    ['storage.azure_sas_token', 'sentinel'],
    ['storage.s3_endpoint', 'https://me:sentinel@host'],
    ['storage.azure_endpoint', 'https://host/?sig=sentinel'],
    ['storage.azure_account_name', 'AccountName=a;AccountKey=sentinel'],
    ['storage.s3_prefix', 'sv=1&sig=sentinel'],
  ] as const) {
    const values = new Values(null, { [variableOf(key)]: value })
    values.refuse(key, 'x')
    t.throws(() => values.check(), { message: /is \*\*\*, expected x$/ }, `${key} = ${value}`)
  }
})

t.test('a default can be refused too, and each key once', async (t) => {
  const values = new Values(null, {})
  values.refuse('storage.local_path', 'better')
  values.refuse('storage.local_path', 'best')
  t.notOk(values.holds('server.port', 'storage.local_path'))
  t.throws(() => values.check(), {
    message: /\n {2}storage.local_path \(the default\) is ".\/data\/arc", expected better$/,
  })
})

t.test('the defaults are what the schema takes', async (t) => {
  for (const key of keys) {
    const value = new Values(null, {}).settings[key]
    if (value === undefined || /[_.]timeout$|keep_replaced|rehash_after|lock_ttl|max_skipped|_limit$/.test(key))
      continue
    t.ok(settings.shape[key].safeParse(value).success, key)
  }
})
