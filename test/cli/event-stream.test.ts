import t from 'tap'
import type { Body } from '../../src/cli/backups.js'
import { followOperation } from '../../src/cli/event-stream.js'
import { remoteBackups } from '../../src/cli/remote-backups.js'
import { Sender } from '../../src/cli/sender.js'
import { adminToken } from '../support/fixture.js'
import { startTestService } from '../support/service.js'
import { answerWith } from './scene.js'

const operation = '0123456789ab'

async function all(statuses: AsyncIterable<Body> | undefined): Promise<Body[]> {
  const found: Body[] = []
  for await (const status of statuses ?? []) found.push(status)
  return found
}

t.test('a backup at a running service is followed to its end, by whomever it was begun', async (t) => {
  const { service, settled } = await startTestService(t)
  const backups = remoteBackups(service.url, adminToken)
  const { operationId } = await backups.startBackup({})
  const statuses = await all(backups.follow?.(operationId))
  t.match(statuses.at(-1), { operation_id: operationId, status: 'completed' })
  t.ok(statuses.slice(0, -1).every(({ status }) => status === 'running'))
  await settled()
  t.match(await all(backups.follow?.(operationId)), [{ status: 'completed' }], 'also once it is over')
})

t.test('a stream that ends is taken up where it was, and another operation is none of ours', async (t) => {
  const asked: unknown[] = []
  const tell = (id: string, status: Body) => `event: x\nid: ${id}\ndata: ${JSON.stringify(status)}\n\n`
  const streams = [
    `: hello\n\n${tell('other.1', { operation_id: 'other', status: 'failed' })}${tell(`${operation}.1`, { operation_id: operation, status: 'running' })}`,
    tell(`${operation}.2`, { operation_id: operation, status: 'failed' }),
  ]
  const url = await answerWith(t, ({ headers }, response) => {
    asked.push([headers['last-event-id'], headers['x-test']])
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(streams.shift())
  })
  const found = await all(followOperation(new Sender(new URL(url), {}), new URL(url), { 'x-test': 'y' }, operation))
  t.match(found, [{ status: 'running' }, { status: 'failed' }])
  t.same(asked, [
    [operation, 'y'],
    [`${operation}.1`, 'y'],
  ])
})

t.test('no stream, or one that says nothing', async (t) => {
  let [status, type] = [404, 'application/json']
  const url = await answerWith(t, (_, response) => response.writeHead(status, { 'content-type': type }).end())
  const follow = () => all(followOperation(new Sender(new URL(url), {}), new URL(url), {}, operation))
  await t.rejects(follow(), { code: 'UNAVAILABLE', message: `${url} has no stream of events (HTTP 404)` })
  status = 200
  await t.rejects(follow(), { message: /HTTP 200/ })
  type = 'text/event-stream'
  await t.rejects(follow(), { message: `${url} ends its stream of events at once` })
  await t.rejects(
    all(followOperation(new Sender(new URL('http://127.0.0.1:1'), {}), new URL('http://127.0.0.1:1'), {}, operation)),
  )
})
