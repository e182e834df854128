import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { formatTable } from '../src/cli/table.js'
import { type Minio, startMinio } from '../test/servers/minio.js'
import { type Cleanup, runBench } from './cleanup.js'
import { writeLargeFile } from './large-file.js'
import { describeMachine } from './machine.js'
import { makeFolder } from './memory-disk.js'
import { spread } from './statistics.js'
import type { ProcessCost } from './timed-process.js'
import type { UploadOrder } from './upload-once.js'

// Why is there an uploader of our own (src/stores/s3-upload.ts) beside lib-storage's? Both send the same file in parts of 8 MiB to the same MinIO, in turn; what
// arrives is read back by the plain SDK and hashed.

const usage = `npm run bench:upload -- [--mib 1024] [--runs 5] [--dir DIR]

  --dir  where to work; a folder of its own is made there and removed (default: a file system in memory, which needs root)
`

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    runs: { type: 'string', default: '5' },
    dir: { type: 'string' },
    help: { type: 'boolean' },
  },
})
const ways = ['arc-backup', 'lib-storage'] as const
const size = Number(values.mib) << 20

if (values.help) console.log(usage)
else await runBench(compare)

async function compare(cleanup: Cleanup): Promise<void> {
  const machine = describeMachine()
  const folder = makeFolder(cleanup, values.dir)
  const minio = await startMinio(cleanup, { under: folder })
  const config = await minio.bucket()
  const file = `${folder}/file`
  const expected = writeLargeFile(file, size)
  const costs: Record<(typeof ways)[number], ProcessCost[]> = { 'arc-backup': [], 'lib-storage': [] }
  // The first round warms the server up.
  for (let round = 0; round <= Number(values.runs); round += 1) {
    for (const way of ways) {
      const cost = await uploadOnce({ way, file, size, key: way, config })
      if ((await hashObject(minio, config.bucket, way)) !== expected) throw new Error(`${way} stored another content`)
      if (round > 0) costs[way].push(cost)
    }
  }
  const gib = size / 2 ** 30
  const rows = ways.map((way) => [
    way,
    spread(costs[way].map(({ cpu }) => cpu / gib)),
    spread(costs[way].map(({ wall }) => wall)),
    spread(
      costs[way].map(({ memory }) => memory / 2 ** 20),
      0,
    ),
  ])
  console.log(
    `${values.mib} MiB to MinIO in parts of 8 MiB, ${values.runs} runs; ${machine}; median (least–greatest)\n`,
  )
  console.log(formatTable([['UPLOADER', 'CPU s/GiB', 'wall s', 'peak MiB'], ...rows]))
}

async function uploadOnce(order: UploadOrder): Promise<ProcessCost> {
  const child = fork(fileURLToPath(new URL('upload-once.js', import.meta.url)))
  const ended = once(child, 'exit')
  const answer = once(child, 'message') as Promise<[ProcessCost]>
  child.send(order)
  const [cost] = await Promise.race([answer, ended.then(() => [null])])
  await ended
  if (cost === null) throw new Error(`the upload by ${order.way} failed`)
  return cost
}

async function hashObject({ client }: Minio, bucket: string, key: string): Promise<string> {
  const hash = createHash('sha256')
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
  for await (const chunk of Body as AsyncIterable<Buffer>) hash.update(chunk)
  return hash.digest('hex')
}
