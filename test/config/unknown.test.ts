import t from 'tap'
import { settingsWith } from '../../src/config/settings.js'
import { parseConfig } from '../../src/config/source.js'
import { unknownNames } from '../../src/config/unknown.js'

const keys = Object.keys(settingsWith(['nas']).shape)

t.test('an unknown key under [backup] or a target is named with the nearest known one', async (t) => {
  const toml =
    '[backup]\nlocal_paht = "/x"\nport = 1\n\n[Backup.Targets.nas]\ntype = "s3"\ns3_buckte = "a"\n[Backup.Targets.nas.typ]\n'
  t.strictSame(unknownNames(parseConfig(toml, 'arc.toml'), {}, keys), [
    'arc.toml:2: backup.local_paht is not a known key and does nothing; the nearest is backup.local_path',
    'arc.toml:7: backup.targets.nas.s3_buckte is not a known key and does nothing; the nearest is backup.targets.nas.s3_bucket',
    'arc.toml:8: backup.targets.nas.typ is not a known key and does nothing; the nearest is backup.targets.nas.type',
  ])
})

t.test('an unknown variable of ours, unless it is empty', async (t) => {
  const env = {
    ARC_BACKUP_WORKER: '2',
    ARC_BACKUP_PORT: '1',
    ARC_BACKUP_PROT: '',
    ARC_STORAGE_LOCAL_PAHT: '/x',
    ARC_BACKUP_TARGETS_NAS_TYPE: 's3',
    ARC_BACKUP_TARGETS_NAS_S3_BUCKTE: 'a',
    PATH: '/bin',
  }
  t.strictSame(unknownNames(null, env, keys), [
    'environment variable ARC_BACKUP_WORKER is not a known one and does nothing; the nearest is ARC_BACKUP_WORKERS',
    'environment variable ARC_BACKUP_TARGETS_NAS_S3_BUCKTE is not a known one and does nothing; the nearest is ARC_BACKUP_TARGETS_NAS_S3_BUCKET',
  ])
})

t.test('a variable of a target that nothing names', async (t) => {
  t.strictSame(unknownNames(null, { ARC_BACKUP_TARGETS_AUDIT_TYPE: 's3' }, keys), [
    'environment variable ARC_BACKUP_TARGETS_AUDIT_TYPE is not a known one and does nothing; name its target in ARC_BACKUP_TARGET_NAMES',
  ])
})

t.test('elsewhere unknown names are silently none of our business, as in Arc', async (t) => {
  const file = parseConfig('x = 1\n[server]\nprot = 1\n[ingest]\nflush_interval = 5\n', 'arc.toml')
  t.strictSame(unknownNames(file, { ARC_SERVER_PROT: '1' }, keys), [])
})
