import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { listen } from '../support/events.js'
import { adminToken } from '../support/fixture.js'
import { startTestService } from '../support/service.js'

const headers = { authorization: `Bearer ${adminToken}` }

t.test('a backup and a verify as they are told, and again to one who was away', async (t) => {
  const { service, call, settled } = await startTestService(t)
  const url = `${service.url}/api/v1/backup/events`
  const stream = await listen(url, headers)
  const { json } = await call('POST', '')
  const backup = await stream.until(({ data }) => data.operation_id === json.operation_id && data.status !== 'running')
  t.match(backup, { event: 'completed', data: { backup_id: json.backup_id, outcome: 'completed' } })
  t.same(backup.data, await settled(), 'what the status says')
  const verify = await call('POST', `/${json.backup_id}/verify`, { level: 'quick' })
  const verified = await stream.until(
    ({ data }) => data.operation_id === verify.json.operation_id && data.status !== 'running',
  )
  t.match(verified, { event: 'completed', data: { operation: 'verify', verified: 'quick' } })
  stream.close()
  const again = await listen(url, { ...headers, 'last-event-id': String(json.operation_id) })
  t.match(await again.until(({ data }) => data.operation === 'backup'), { event: 'completed', id: backup.id })
  await again.until(({ data }) => data.operation === 'verify')
  again.close()
  const status = await call('GET', `/status?wait=30s&since=${json.operation_id}.copying.0.0`)
  t.equal(status.json.event_id, backup.id)
})

t.test('a service that stops says how what ran has ended', async (t) => {
  const { service, call } = await startTestService(t)
  const stream = await listen(`${service.url}/api/v1/backup/events`, headers)
  await call('POST', '')
  await service.close()
  t.equal(await stream.ended, undefined, 'ended, not broken')
  t.match(stream.events.at(-1)?.data, { operation: 'backup', status: /completed|failed/ })
})

t.test('a service that stops waits for no listener', async (t) => {
  const { service, call } = await startTestService(t)
  const stream = await listen(`${service.url}/api/v1/backup/events`, headers)
  const waiting = call('GET', '/status?wait=60s')
  await sleep(300)
  const began = performance.now()
  await service.close()
  t.ok(performance.now() - began < 9000)
  t.equal(await stream.ended, undefined)
  t.same((await waiting).json, { status: 'idle' })
})
