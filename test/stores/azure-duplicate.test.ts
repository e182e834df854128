import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { connect } from '../../src/stores/azure-client.js'
import { duplicateBlob } from '../../src/stores/azure-duplicate.js'

t.test('a copy that makes no headway is aborted before the bytes travel', async (t) => {
  const requests: string[] = []
  const server = createServer((request, response) => {
    const { method, url, headers } = request
    requests.push(`${method} ${url} ${headers['x-ms-copy-action'] ?? ''}`.trim())
    const copy = { 'x-ms-copy-id': 'id-1', 'x-ms-copy-status': 'pending', 'x-ms-copy-progress': '0/9' }
    response.writeHead(method === 'HEAD' ? 200 : url?.includes('comp=copy') ? 204 : 202, copy).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const client = await connect({
    kind: 'azure',
    container: 'box',
    prefix: '',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/acc`,
    credential: { kind: 'account-key', account: 'acc', accountKey: 'a2V5' },
    retryTimeoutMs: 1000,
    stallTimeoutMs: 600,
  })
  t.equal(await duplicateBlob(client, 'old', 'new', { size: 9, sha256: '', etag: '"1"' }), undefined)
  t.match(requests[0], /^PUT \/acc\/box\/new$/)
  t.equal(requests.at(-1), 'PUT /acc/box/new?comp=copy&copyid=id-1 abort')
  t.ok(requests.slice(1, -1).every((request) => request.startsWith('HEAD')))
})
