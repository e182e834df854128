import { RestError } from '@azure/core-rest-pipeline'
import type { AzureClient } from './azure-client.js'
import { azureFailure } from './azure-failure.js'
import { namesBelow } from './azure-list.js'
import { broken } from './azure-read.js'

/** Azure's largest batch. */
const batchSize = 256
/** Batches under way at once. */
const batchesAtOnce = 4

/** See `Store.remove`. */
export async function removeBlobs(client: AzureClient, paths: Iterable<string>): Promise<void> {
  const batches = batchesOf(client, paths)
  const lanes = Array.from({ length: batchesAtOnce }, async () => {
    for await (const names of batches) await removeBatch(client, names)
  })
  // All have ended when this rejects: nothing goes on being removed behind the caller's back.
  const results = await Promise.allSettled(lanes)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

async function* batchesOf(client: AzureClient, paths: Iterable<string>): AsyncGenerator<string[], void, undefined> {
  let names: string[] = []
  for (const path of paths) {
    if (path.endsWith('/')) {
      const folder = path.slice(0, -1)
      client.nameOf(folder)
      for await (const below of namesBelow(client, folder)) names.push(...below)
    } else names.push(client.nameOf(path))
    while (names.length >= batchSize) {
      yield names.slice(0, batchSize)
      names = names.slice(batchSize)
    }
  }
  if (names.length > 0) yield names
}

async function removeBatch(client: AzureClient, names: readonly string[]): Promise<void> {
  const paths = names.map((name) => name.slice(client.prefix.length))
  const blobs = names.map((name) => client.container.getBlobClient(name))
  const [first = ''] = paths
  await client.try('remove', names.length === 1 ? first : `${first} and others`, async () => {
    // Not by the SDK's `deleteBlobs`: it hands the signal to no request that is sent, and waits for ever for a server that stands still.
    const service = client.container.getBlobBatchClient()
    const batch = service.createBatch()
    for (const blob of blobs) await batch.deleteBlob(blob)
    const { subResponses } = await client.deadline((abortSignal) => service.submitBatch(batch, { abortSignal }))
    if (subResponses.length < names.length || subResponses.some(({ status }) => status === undefined)) {
      throw broken('STORE_UNREACHABLE', client.place('remove', first), 'the answer is not whole')
    }
    for (const [index, { status, errorCode }] of subResponses.entries()) {
      if (status < 300 || errorCode === 'BlobNotFound') continue
      const refusal = new RestError('refused', {
        statusCode: status,
        ...(errorCode !== undefined && { code: errorCode }),
      })
      throw azureFailure(refusal, client.place('remove', paths[index] ?? ''))
    }
  })
}
