import { mkdirSync, symlinkSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { Config } from '../../src/config/config.js'
import { checkConfigText, loadConfig } from '../../src/config/load.js'

function load(t: Test, toml: string, env: NodeJS.ProcessEnv = {}): Config {
  return loadConfig({ cwd: t.testdir({ 'arc.toml': toml }), env })
}

function places({ backup }: Config): string[] {
  return [
    ...backup.targets.map(({ name, store }) => `${name} ${store.kind}`),
    `default ${backup.defaultTarget.name}`,
    `include_config ${backup.includeConfig}`,
  ]
}

const nas = '[backup.targets.nas]\ntype = "local"\nlocal_path = "./nas"\n'
const audit = '[backup.targets.audit]\ntype = "s3"\ns3_bucket = "acme-audit"\n'

t.test('backup.local_path is the target "local"', async (t) => {
  const { backup } = load(t, '')
  t.strictSame(backup.targets, [backup.defaultTarget])
  t.match(backup.defaultTarget, { name: 'local', store: { kind: 'local', root: /\/data\/backups$/ } })
  t.strictSame(places(load(t, '[backup]\ndefault_target = " Local "\n')), [
    'local local',
    'default local',
    'include_config true',
  ])
})

t.test('named targets, beside it', async (t) => {
  t.strictSame(places(load(t, `[backup]\ndefault_target = "nas"\n${nas}`)), [
    'local local',
    'nas local',
    'default nas',
    'include_config true',
  ])
  t.strictSame(places(load(t, `[backup]\ndefault_target = "local"\n${nas}${audit}`)), [
    'local local',
    'audit s3',
    'nas local',
    'default local',
    'include_config false',
  ])
  const only = load(t, `[backup]\ndefault_target = "AUDIT"\nlocal_path = " "\n${audit}`)
  t.strictSame(places(only), ['audit s3', 'default audit', 'include_config false'])
  t.equal(only.backup.defaultTarget, only.backup.targets[0])
})

t.test('a target of the environment alone', async (t) => {
  const env = {
    ARC_BACKUP_TARGET_NAMES: 'blobs',
    ARC_BACKUP_DEFAULT_TARGET: 'blobs',
    ARC_BACKUP_TARGETS_BLOBS_TYPE: 'azblob',
    ARC_BACKUP_TARGETS_BLOBS_AZURE_CONTAINER: 'backups',
    ARC_BACKUP_TARGETS_BLOBS_AZURE_CONNECTION_STRING: 'AccountName=acme;AccountKey=sentinel',
  }
  const config = load(t, '[backup]\nlocal_path = ""\n', env)
  t.strictSame(places(config), ['blobs azure', 'default blobs', 'include_config false'])
  t.notMatch(JSON.stringify(config), 'sentinel')
  t.strictSame(config.warnings, [])
})

t.test('the environment over the file', async (t) => {
  const env = { ARC_BACKUP_TARGETS_AUDIT_S3_BUCKET: 'acme-other', ARC_BACKUP_TARGETS_AUDIT_S3_SSE: 'AES256' }
  const { backup } = load(t, `[backup]\ndefault_target = "audit"\n${audit}`, env)
  t.match(backup.defaultTarget.store, { kind: 's3', bucket: 'acme-other', sse: 'AES256' })
})

t.test('a named target takes the name, or the folder, of backup.local_path', async (t) => {
  const local = '[backup.targets.local]\ntype = "local"\nlocal_path = "./new"\n'
  const shadowed = load(t, `[backup]\ndefault_target = "local"\n${local}`)
  t.match(shadowed.backup.targets, [{ name: 'local', store: { root: /\/new$/ } }])
  t.strictSame([shadowed.backup.targets.length, shadowed.warnings], [1, []])
  t.strictSame(load(t, `[backup]\ndefault_target = "local"\nlocal_path = "./old"\n${local}`).warnings, [
    'backup.local_path is not used: [backup.targets.local] has its name',
  ])
  const same = load(t, `[backup]\nlocal_path = "./nas"\ndefault_target = "nas"\n${nas}`)
  t.strictSame(places(same), ['nas local', 'default nas', 'include_config true'])
  t.throws(() => load(t, `[backup]\nlocal_path = "./nas"\ndefault_target = "local"\n${nas}`), {
    message: /backup.targets.nas.local_path is "\.\/nas", expected a place apart from the target "local" \(.*\/nas\)/,
  })
})

t.test('the default target must be one, and be named where there are several', async (t) => {
  const wrong: [string, RegExp][] = [
    [nas, /arc.toml:1: backup.default_target is not set, expected the target .*: "local", "nas"$/],
    [
      `[backup]\ndefault_target = "tape"\n${nas}`,
      /arc.toml:2: backup.default_target is "tape", expected .*: "local", "nas"$/,
    ],
    ['[backup]\ndefault_target = "nas"\n', /backup.default_target is "nas", expected .*: "local"$/],
    [`[backup]\nlocal_path = ""\ndefault_target = "local"\n${nas}`, /is "local", expected .*: "nas"$/],
    [
      '[backup]\nlocal_path = ""\n',
      /arc.toml:2: backup.local_path is "", expected a path, because no other target is defined$/,
    ],
  ]
  for (const [toml, message] of wrong) t.throws(() => load(t, toml), { code: 'CONFIG_INVALID', message }, toml)
})

t.test('what a target must have, and must not', async (t) => {
  const wrong: [string, RegExp][] = [
    ['local_path = "/x"', /arc.toml:3: backup.targets.x.type is not set, expected one of "local", "s3", /],
    ['type = "ftp"', /arc.toml:4: backup.targets.x.type is "ftp", expected one of "local", "s3", /],
    ['type = "local"', /arc.toml:3: backup.targets.x.local_path is not set, expected a path/],
    ['type = "minio"', /arc.toml:3: backup.targets.x.s3_bucket is not set, expected a bucket's name/],
    ['type = "azure"', /arc.toml:3: backup.targets.x.azure_container is not set, expected a container's name/],
    [
      'type = "local"\nlocal_path = "/x"\ndatabases = ["a"]',
      /arc.toml:6: backup.targets.x.databases is an array, expected no such key: a backup here goes to one target/,
    ],
    ['type = "local"\nlocal_path = "/x"\ndatabases = "a"', /databases is "a", expected no such key/],
  ]
  for (const [toml, message] of wrong) {
    t.throws(() => load(t, `[backup]\ndefault_target = "x"\n[backup.targets.x]\n${toml}\n`), { message }, toml)
  }
  t.throws(() => load(t, '[backup]\ndefault_target = "a_b"\n[backup.targets.a-b]\ntype = "s3"\n'), {
    message: /arc.toml:3: "a-b" is no name for a target, .*; write "a_b"/,
  })
})

t.test('an unknown key under a target is a warning', async (t) => {
  t.strictSame(
    load(t, `[backup]\ndefault_target = "nas"\n${nas}local_paht = "/x"\n`).warnings.map((one) =>
      one.replace(/^.*arc/, 'arc'),
    ),
    [
      'arc.toml:6: backup.targets.nas.local_paht is not a known key and does nothing; the nearest is backup.targets.nas.local_path',
    ],
  )
})

t.test('a target that holds the storage, or lies in it', async (t) => {
  const cwd = t.testdir({ 'arc.toml': `[backup]\ndefault_target = "nas"\n${nas}`, data: { arc: {} } })
  symlinkSync('data', `${cwd}/link`)
  const at = (path: string) => loadConfig({ cwd, env: { ARC_BACKUP_TARGETS_NAS_LOCAL_PATH: path } })
  for (const path of ['./data/arc', './data', './link', '/']) {
    t.throws(
      () => at(path),
      {
        message:
          /\(backup.targets.nas.local_path\) is ".*", expected a folder that is neither the storage root .* nor above it/,
      },
      path,
    )
  }
  mkdirSync(`${cwd}/data/arc/nas`)
  t.strictSame(at('./link/arc/nas').excluded, [`${cwd}/data/arc/nas`])
})

t.test("a target in the storage's bucket, or in its container", async (t) => {
  const s3 = (storage: string, target: string) =>
    load(
      t,
      `[storage]\nbackend = "s3"\ns3_bucket = "acme"\ns3_prefix = "${storage}"\n[backup]\ndefault_target = "x"\n` +
        `[backup.targets.x]\ntype = "minio"\ns3_bucket = "acme"\ns3_prefix = "${target}"\n`,
    )
  for (const [storage, target] of [
    ['', ''],
    ['', 'backups'],
    ['a', 'a/'],
    ['a', 'a/b'],
    ['a/b', 'a'],
  ] as const) {
    t.throws(
      () => s3(storage, target),
      {
        message:
          /arc.toml:10: backup.targets.x.s3_prefix is ".*", expected a place apart from the storage s3:\/\/acme\//,
      },
      `${storage} and ${target}`,
    )
  }
  t.doesNotThrow(() => s3('a', 'ab'))
  const account = 'azure_container = "arc"\nazure_account_name = "acme"\nazure_account_key = "k"\n'
  t.throws(
    () =>
      load(
        t,
        `[storage]\nbackend = "azure"\n${account}[backup]\ndefault_target = "x"\n[backup.targets.x]\ntype = "azure"\n${account}`,
      ),
    {
      message:
        /arc.toml:8: backup.targets.x.azure_prefix is not set, expected a place apart from the storage azure:\/\/arc\//,
    },
  )
})

t.test('two targets in one place', async (t) => {
  const toml = (prefix: string) =>
    `[backup]\ndefault_target = "audit"\n${audit}s3_prefix = "a"\n[backup.targets.b]\ntype = "s3"\ns3_bucket = "acme-audit"\ns3_prefix = "${prefix}"\n`
  t.throws(() => load(t, toml('a/b')), {
    message:
      /arc.toml:10: backup.targets.b.s3_prefix is "a\/b", expected a place apart from the target "audit" \(s3:\/\/acme-audit\/a\/\)/,
  })
  t.doesNotThrow(() => load(t, toml('b')))
  t.throws(
    () => load(t, `[backup]\nlocal_path = "."\ndefault_target = "nas"\n${nas}[storage]\nlocal_path = "/arc"\n`),
    {
      message: /nas.local_path is ".\/nas", expected a place apart from the target "local"/,
    },
  )
})

t.test('a target whose keys are wrong is not judged by its place', async (t) => {
  const toml = `[backup]\ndefault_target = "audit"\n${audit}s3_region = "?"\n[backup.targets.b]\ntype = "s3"\ns3_bucket = "acme-audit"\n`
  t.throws(() => load(t, toml), { message: /^[^\n]*\n[^\n]*audit.s3_region is \*\*\*[^\n]*$/ })
})

t.test('a text that is to become arc.toml: its targets, with what it leaves to the environment', async (t) => {
  const toml = '[storage]\nbackend = "azure"\nazure_container = "arc"\nazure_account_name = "acme"\n'
  const env = { ARC_STORAGE_AZURE_ACCOUNT_KEY: 'k' }
  t.doesNotThrow(() => checkConfigText(toml, env))
  t.throws(() => checkConfigText(toml, {}), { message: /azure_account_key is not set/ })
  t.throws(() => checkConfigText(`[backup]\nport = "x"\n${nas}`, { ARC_BACKUP_PORT: '1' }), {
    message: /backup.port is "x"/,
  })
  t.throws(() => checkConfigText(nas, {}), { message: /default_target is not set/ })
})
