import { existsSync } from 'node:fs'
import t from 'tap'
import { backupPaths } from '../../src/format/layout.js'
import { arcBackupId, arcs } from '../support/fixture.js'

const arcsBackup = `${arcs}/data/backups/${arcBackupId}/`

t.test('a backup that Arc wrote has its parts where we look for them', async (t) => {
  for (const path of [backupPaths.manifest, backupPaths.data, backupPaths.metadata('arc'), backupPaths.config]) {
    t.ok(existsSync(`${arcsBackup}${path}`), path)
  }
})

t.test('names that Arc 26.09.1 does not write yet', async (t) => {
  t.equal(backupPaths.sidecar, 'manifest-files.json')
  t.equal(backupPaths.metadata('iceberg-catalog'), 'metadata/iceberg-catalog.db')
})
