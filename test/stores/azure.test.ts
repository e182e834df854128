import type { ContainerClient } from '@azure/storage-blob'
import t from 'tap'
import { openStore } from '../../src/stores/open.js'
import { Azurite } from '../servers/azurite.js'
import { testStore } from './contract.js'

const server = await Azurite.start(t)

testStore(t, async () => {
  const container = await server.container()
  // What lies beside the prefix is somebody else's and stays.
  await container.getBlockBlobClient('root-other').upload('x', 1)
  const store = await openStore(server.config(container.containerName, { prefix: 'root/' }))
  return {
    store,
    readBack: (path) => readBack(container, `root/${path}`),
    names: async () => (await namesOf(container)).flatMap((name) => (name.startsWith('root/') ? [name.slice(5)] : [])),
  }
})

/** As the plain SDK reads it; null where there is nothing. */
async function readBack(container: ContainerClient, name: string): Promise<Buffer | null> {
  const blob = container.getBlobClient(name)
  return (await blob.exists()) ? blob.downloadToBuffer() : null
}

/** Blobs of which nothing but blocks is there yet, too. */
async function namesOf(container: ContainerClient): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of container.listBlobsFlat({ includeUncommitedBlobs: true })) names.push(name)
  return names
}
