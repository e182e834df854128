import t from 'tap'
import { excludeFrom } from '../../src/engine/list-source.js'

t.test('folders that no backup holds are those inside a storage on local disk', async (t) => {
  const excluded = ['/data/backups', '/other']
  const local = excludeFrom({ storagePath: '/data', excluded })
  t.strictSame([local('backups/'), local('other/'), local('db/')], [true, false, false])
  const remote = excludeFrom({ storagePath: null, excluded })
  t.strictSame([remote('backups/'), remote('other/'), remote('data/backups/')], [false, false, false])
})
