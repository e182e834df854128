import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import type { StoreConfig } from '../../src/stores/open.js'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'

// What a process learns from its environment at its start: whom to trust, and through whom to go. So each use is a process of its own.

t.setTimeout(900_000)
const size = (8 << 20) + 1
const script = `
  import { Readable } from 'node:stream'
  import { openStore } from ${JSON.stringify(new URL('../../src/stores/open.js', import.meta.url).href)}
  try {
    const store = await openStore(JSON.parse(process.env.STORE))
    await store.writeSmall('small', Buffer.from('content'))
    await store.write('large', Readable.from([Buffer.alloc(${size})]), { size: ${size} })
    const names = []
    for await (const { path } of store.list('')) names.push(path)
    const { bytes } = await store.readSmall('small')
    await store.remove(['small', 'large'])
    console.log(JSON.stringify({ names: names.sort(), content: String(bytes) }))
    await store.close()
  } catch (error) {
    console.log(JSON.stringify({ code: error.code, message: error.message }))
  }`

/** Uses every door of a store in a process with these variables, and answers what came of it. */
async function use(config: StoreConfig, env: NodeJS.ProcessEnv): Promise<Record<string, unknown>> {
  const args = [...process.execArgv, '--no-warnings', '--input-type=module', '-e', script]
  const { PATH, HOME, NODE_OPTIONS } = process.env
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { PATH, HOME, ...(NODE_OPTIONS && { NODE_OPTIONS }), STORE: JSON.stringify(config), ...env },
  })
  return JSON.parse(stdout) as Record<string, unknown>
}

/** A proxy as companies have them; it notes what it was asked for. */
async function startForward(t: Test): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((incoming, answer) => {
    asked.push(`${incoming.method} ${new URL(incoming.url ?? '').host}`)
    const { method, headers } = incoming
    const onward = request(incoming.url ?? '', { method, headers }, (found) => {
      answer.writeHead(found.statusCode ?? 0, found.headers)
      found.pipe(answer)
    })
    // The client's to bear.
    onward.on('error', () => answer.destroy())
    onward.on('continue', () => answer.writeContinue())
    incoming.pipe(onward)
  })
  server.on('checkContinue', (incoming, answer) => server.emit('request', incoming, answer))
  server.on('connect', ({ url = '' }, client) => {
    asked.push(`CONNECT ${url}`)
    const { hostname, port } = new URL(`http://${url}`)
    const onward = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      client.pipe(onward).pipe(client)
    })
    for (const socket of [client, onward]) socket.on('error', () => [client, onward].map((end) => end.destroy()))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const done = { names: ['large', 'small'], content: 'content' }

t.test('S3 over TLS, with a certificate of its own, and through a proxy', async (t) => {
  const minio = await startMinio(t, { tls: true })
  const config = { ...(await minio.bucket()), retryTimeoutMs: 1000 }
  const env = { NODE_EXTRA_CA_CERTS: minio.certificate }
  t.match(await use(config, {}), { code: 'TLS', message: /NODE_EXTRA_CA_CERTS/ })
  t.same(await use(config, env), done)
  const { url, asked } = await startForward(t)
  t.same(await use(config, { ...env, HTTPS_PROXY: url }), done)
  t.ok(asked.length > 0 && asked.every((line) => line === `CONNECT 127.0.0.1:${minio.port}`), `${asked}`)
  const before = asked.length
  t.same(await use(config, { ...env, HTTPS_PROXY: url, NO_PROXY: '127.0.0.1' }), done)
  t.equal(asked.length, before, 'not for those that NO_PROXY names')
})

t.test('S3 and Azure without TLS, through a proxy', async (t) => {
  const minio = await startMinio(t)
  const azurite = await Azurite.start(t)
  const { containerName } = await azurite.container()
  const stores: [number, NodeJS.ProcessEnv, StoreConfig][] = [
    [minio.port, {}, await minio.bucket()],
    [azurite.port, {}, azurite.config(containerName)],
  ]
  for (const [port, env, config] of stores) {
    const { url, asked } = await startForward(t)
    t.same(await use(config, { ...env, HTTP_PROXY: url }), done, config.kind)
    t.ok(asked.length > 0 && asked.every((line) => line.endsWith(` 127.0.0.1:${port}`)), `${asked}`)
    const before = asked.length
    t.same(await use(config, { ...env, HTTP_PROXY: url, NO_PROXY: '127.0.0.1' }), done)
    t.equal(asked.length, before, 'not for those that NO_PROXY names')
    const nowhere = { HTTP_PROXY: 'http://127.0.0.1:1' }
    const short = { ...config, retryTimeoutMs: 100 }
    t.match(await use(short, nowhere), { code: 'STORE_UNREACHABLE' }, 'there is no way around it')
  }
})
