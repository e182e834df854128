import t from 'tap'
import { parseConfig } from '../../src/config/source.js'
import { unknownNames } from '../../src/config/unknown.js'

t.test('an unknown key under [backup] is named with the nearest known one', async (t) => {
  const file = parseConfig(
    '[backup]\nlocal_paht = "/x"\nport = 1\n\n[Backup.Targets.nas]\ntype = "local"\n',
    'arc.toml',
  )
  t.strictSame(unknownNames(file, {}), [
    'arc.toml:2: backup.local_paht is not a known key and does nothing; the nearest is backup.local_path',
    'arc.toml:5: backup.targets is not a known key and does nothing; the nearest is backup.workers',
  ])
})

t.test('an unknown variable of ours, unless it is empty', async (t) => {
  const env = {
    ARC_BACKUP_WORKER: '2',
    ARC_BACKUP_PORT: '1',
    ARC_BACKUP_PROT: '',
    ARC_STORAGE_LOCAL_PAHT: '/x',
    PATH: '/bin',
  }
  t.strictSame(unknownNames(null, env), [
    'environment variable ARC_BACKUP_WORKER is not a known one and does nothing; the nearest is ARC_BACKUP_WORKERS',
  ])
})

t.test('elsewhere unknown names are silently none of our business, as in Arc', async (t) => {
  const file = parseConfig('x = 1\n[server]\nprot = 1\n[ingest]\nflush_interval = 5\n', 'arc.toml')
  t.strictSame(unknownNames(file, { ARC_SERVER_PROT: '1' }), [])
})
