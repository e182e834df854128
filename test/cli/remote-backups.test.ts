import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import t from 'tap'
import { remoteBackups } from '../../src/cli/remote-backups.js'
import { adminToken, arcBackupId, facts } from '../support/fixture.js'
import { startTestService } from '../support/service.js'
import { answerWith } from './scene.js'

t.test('a running service is asked for everything', async (t) => {
  const { service, settled } = await startTestService(t)
  const backups = remoteBackups(service.url, adminToken)
  t.same(await backups.status(), { status: 'idle' })
  t.match(await backups.list(), { count: 1, backups: [{ backup_id: arcBackupId }] })
  t.match(await backups.show(arcBackupId), { backup_id: arcBackupId, total_files: 36 })
  await t.rejects(backups.cancel(), { code: 'NOT_FOUND', message: /says: No operation is running/ })

  const { backupId } = await backups.startBackup({ include_config: false })
  t.match(backupId, /^backup-/)
  t.match(await settled(), { status: 'completed', backup_id: backupId })
  t.match(await backups.startRestore({ backup_id: backupId, restore_metadata: false }), { backupId })
  t.match(await settled(), { status: 'completed', operation: 'restore' })
  await backups.deleteBackup(backupId)
  await t.rejects(backups.show(backupId), { code: 'NOT_FOUND', message: `${service.url} says: Backup not found` })
  await backups.close()
})

t.test('a refusal keeps its meaning', async (t) => {
  const { service } = await startTestService(t)
  await t.rejects(remoteBackups(service.url, undefined).list(), {
    code: 'UNAUTHENTICATED',
    message: /Authentication required/,
  })
  await t.rejects(remoteBackups(service.url, '').list(), { message: /Authentication required/ }, 'empty is unset')
  await t.rejects(remoteBackups(service.url, 'bad').list(), { code: 'UNAUTHENTICATED', message: /Invalid or expired/ })
  await t.rejects(remoteBackups(service.url, facts.tokens.reader).list(), { code: 'FORBIDDEN' })
  const backups = remoteBackups(service.url, adminToken)
  await t.rejects(backups.startBackup({ databases: [] }), {
    code: 'REQUEST_INVALID',
    message: /says: Invalid request body: databases must name at least one database/,
  })
  await t.rejects(backups.startRestore({ backup_id: arcBackupId, mode: 'x' }), {
    code: 'REQUEST_INVALID',
    message: /says: Invalid request body: mode must be/,
  })
})

t.test('statuses, and what they mean to a script', async (t) => {
  let status = 200
  const url = await answerWith(t, (_, response) => response.writeHead(status).end('{"error":"no","detail":"because"}'))
  for (const [given, code] of [
    [400, 'REQUEST_INVALID'],
    [401, 'UNAUTHENTICATED'],
    [403, 'FORBIDDEN'],
    [404, 'NOT_FOUND'],
    [409, 'BUSY'],
    [429, 'TOO_MANY_REQUESTS'],
    [503, 'UNAVAILABLE'],
    [500, 'INTERNAL'],
    [418, 'INTERNAL'],
  ] as const) {
    status = given
    await t.rejects(remoteBackups(url, 'x').list(), { code, message: `${url} says: no: because` }, String(given))
  }
})

t.test('an answer that is none', async (t) => {
  let body = ''
  const url = await answerWith(t, (_, response) => response.end(body))
  for (body of ['', 'text', '[]', 'null', '"text"', '{"a":']) {
    await t.rejects(remoteBackups(url, 'x').list(), { message: `${url} says: HTTP 200 without a JSON body` }, body)
  }
})

t.test("Arc's own answers name no backup where it is new", async (t) => {
  const url = await answerWith(t, (_, response) => response.writeHead(202).end('{"status":"running"}'))
  t.same(await remoteBackups(url, 'x').startBackup({}), { backupId: '', operationId: '' })
  t.same(await remoteBackups(url, 'x').startRestore({ backup_id: arcBackupId }), {
    backupId: arcBackupId,
    operationId: '',
  })
})

t.test('what is sent', async (t) => {
  const seen: unknown[] = []
  const url = await answerWith(t, (request, response) => {
    const { method, url: path, headers } = request
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      seen.push([method, path, headers.authorization, headers['content-type'], body])
      response.end('{}')
    })
  })
  const backups = remoteBackups(`${url}/behind/a/proxy/?x=1#y`, 'the token')
  await backups.startRestore({ backup_id: arcBackupId, confirm: false })
  await backups.deleteBackup(arcBackupId)
  await backups.cancel()
  await remoteBackups(url, '').status()
  const [auth, base] = ['Bearer the token', '/behind/a/proxy/api/v1/backup']
  t.same(seen, [
    ['POST', `${base}/restore`, auth, 'application/json', `{"backup_id":"${arcBackupId}","confirm":true}`],
    ['DELETE', `${base}/${arcBackupId}`, auth, undefined, ''],
    ['POST', `${base}/cancel`, auth, undefined, ''],
    ['GET', '/api/v1/backup/status', undefined, undefined, ''],
  ])
})

t.test('a redirect is not followed: the POST would become a GET', async (t) => {
  const methods: (string | undefined)[] = []
  const url = await answerWith(t, ({ method }, response) => {
    methods.push(method)
    response.writeHead(302, { location: '/api/v1/backup' }).end()
  })
  await t.rejects(remoteBackups(url, 'x').startBackup({}), {
    code: 'INTERNAL',
    message: /HTTP 302 without a JSON body/,
  })
  t.same(methods, ['POST'])
})

t.test("an id that is none is not sent: '..' would be another path", async (t) => {
  const url = await answerWith(t, () => t.fail('nothing may be sent'))
  const backups = remoteBackups(url, 'x')
  for (const id of ['', '..', 'status', `${arcBackupId}/`, arcBackupId.toUpperCase()]) {
    const refusal = { code: 'REQUEST_INVALID', message: 'Invalid backup ID format' }
    await t.rejects(backups.show(id), refusal, id)
    await t.rejects(backups.deleteBackup(id), refusal, id)
  }
})

t.test('a URL or a token that is none is refused, and not repeated', async (t) => {
  for (const url of ['', '127.0.0.1:8010', 'localhost:8010', 'ftp://host', 'http://', 'http://user:sentinel@host']) {
    t.throws(() => remoteBackups(url, 'x'), {
      code: 'REQUEST_INVALID',
      message: '--url must be like http://127.0.0.1:8010, without user or password',
    })
  }
  for (const token of ['sentinel\nx', 'sentinel\u0000', 'sentinel€', 'sentinelü']) {
    t.throws(() => remoteBackups('http://host', token), {
      code: 'REQUEST_INVALID',
      message: 'ARC_TOKEN has a character that no token has',
    })
  }
})

t.test('who does not answer, or breaks off', async (t) => {
  await t.rejects(remoteBackups('http://127.0.0.1:1', 'x').list(), {
    code: 'UNAVAILABLE',
    message: /^cannot reach http:\/\/127\.0\.0\.1:1: ./,
  })
  const url = await answerWith(t, (_, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{"a":')
    setTimeout(() => response.destroy(), 20)
  })
  await t.rejects(remoteBackups(url, 'x').list(), { code: 'UNAVAILABLE', message: /^cannot reach/ })
  const garbage = createServer((socket) => socket.end('this is not HTTP\r\n\r\n')).listen(0, '127.0.0.1')
  await once(garbage, 'listening')
  t.teardown(() => garbage.close())
  const { port } = garbage.address() as AddressInfo
  await t.rejects(remoteBackups(`http://127.0.0.1:${port}`, 'x').list(), { code: 'UNAVAILABLE' })
})
