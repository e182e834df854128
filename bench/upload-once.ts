import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { Upload } from '@aws-sdk/lib-storage'
import type { S3StoreConfig } from '../src/stores/open.js'
import { S3Store } from '../src/stores/s3.js'
import { createClient } from '../src/stores/s3-client.js'
import { Transport } from '../src/stores/s3-transport.js'
import { smallFile } from '../src/stores/store.js'
import type { ProcessCost } from './timed-process.js'

/** What this process is to upload, and by what means. */
export interface UploadOrder {
  readonly way: 'arc-backup' | 'lib-storage'
  readonly file: string
  readonly size: number
  readonly key: string
  readonly config: S3StoreConfig
}

const partsAtOnce = 4

// A process of its own for one upload, so that its memory and its CPU time are nobody else's.
process.once('message', (order: UploadOrder) => {
  void measure(order).then((cost) => {
    process.send?.(cost)
    process.disconnect()
  })
})

async function measure(order: UploadOrder): Promise<ProcessCost> {
  const source = createReadStream(order.file, { highWaterMark: 1 << 18 })
  const upload = order.way === 'arc-backup' ? prepareOwn(order, source) : prepareLibrary(order, source)
  const [began, before] = [performance.now(), process.cpuUsage()]
  await upload()
  const { user, system } = process.cpuUsage(before)
  const wall = (performance.now() - began) / 1000
  return { wall, cpu: (user + system) / 1e6, memory: process.resourceUsage().maxRSS * 1024 }
}

function prepareOwn({ config, key, size }: UploadOrder, source: Readable): () => Promise<unknown> {
  const store = new S3Store(config)
  return async () => {
    await store.write(key, source, { size })
    await store.close()
  }
}

/** At its best: whole parts in buffers of their own, over the same connections, the payload unsigned as ours is, a CRC32 for each part as ours have one. */
function prepareLibrary({ config, key }: UploadOrder, source: Readable): () => Promise<unknown> {
  const transport = new Transport(config.stallTimeoutMs)
  const client = createClient(config, transport)
  client.middlewareStack.add(
    (next) => (args) => {
      Object.assign((args.request as { headers: Record<string, string> }).headers, {
        'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      })
      return next(args)
    },
    { step: 'build' },
  )
  const params = {
    Bucket: config.bucket,
    Key: key,
    Body: Readable.from(wholeParts(source)),
    ChecksumAlgorithm: 'CRC32',
  } as const
  const upload = new Upload({ client, params, partSize: smallFile, queueSize: partsAtOnce })
  return async () => {
    await upload.done()
    transport.close()
  }
}

async function* wholeParts(source: Readable): AsyncGenerator<Buffer, void, undefined> {
  let part = Buffer.allocUnsafeSlow(smallFile)
  let filled = 0
  for await (const chunk of source as AsyncIterable<Buffer>) {
    for (let taken = 0; taken < chunk.length; ) {
      const bytes = chunk.copy(part, filled, taken)
      taken += bytes
      filled += bytes
      if (filled < part.length) continue
      yield part
      part = Buffer.allocUnsafeSlow(smallFile)
      filled = 0
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
}
