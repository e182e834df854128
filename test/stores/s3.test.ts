import t from 'tap'
import { openStore } from '../../src/stores/open.js'
import { everyName, readObject } from '../servers/bucket.js'
import { startMinio } from '../servers/minio.js'
import { testStore } from './contract.js'

// Building MinIO takes minutes where it is not there yet.
t.setTimeout(900_000)
const minio = await startMinio(t)

testStore(t, async () => {
  const config = await minio.bucket()
  return {
    store: await openStore(config),
    readBack: (path) => readObject(minio, config, path),
    names: () => everyName(minio, config),
  }
})
