import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { serve } from '../../src/cli/serve.js'
import { loadConfig } from '../../src/config/load.js'
import { arcFolder } from './scene.js'

/** A free port: `serve` tells its own only in the log. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function start(t: Test) {
  const { folder, env } = arcFolder(t)
  const port = await freePort()
  const config = loadConfig({
    cwd: folder,
    home: folder,
    env: { ...env, ARC_BACKUP_PORT: String(port), ARC_LOG_LEVEL: 'error' },
  })
  const reached = async (): Promise<boolean> => {
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => null)
    return answer?.ok === true
  }
  const listening = async (): Promise<void> => {
    while (!(await reached())) await sleep(10)
  }
  return { config, reached, listening }
}

const listeners = () => process.listenerCount('SIGINT') + process.listenerCount('SIGTERM')

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`it serves until ${signal}, and then listens for no signal any more`, async (t) => {
    const { config, reached, listening } = await start(t)
    const before = listeners()
    const served = serve(config)
    await listening()
    t.equal(listeners(), before + 2)
    process.kill(process.pid, signal)
    t.equal(await served, 0)
    t.equal(await reached(), false)
    t.equal(listeners(), before)
  })
}

t.test('a signal while it starts is not lost', async (t) => {
  const { config, reached } = await start(t)
  const served = serve(config)
  process.kill(process.pid, 'SIGTERM')
  t.equal(await served, 0)
  t.equal(await reached(), false)
})

for (const [pause, codes, what] of [
  [0, [], 'an echo, as npm makes it, is not a second signal'],
  [600, [1], 'a second signal ends the process at once'],
] as const) {
  t.test(what, async (t) => {
    const { config, listening } = await start(t)
    const seen: unknown[] = []
    t.intercept(process, 'exit', { value: (code: unknown) => void seen.push(code) })
    const served = serve(config)
    await listening()
    process.emit('SIGINT')
    // Nothing else runs meanwhile, so that the service has not closed before the second one.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause)
    process.emit('SIGTERM')
    t.equal(await served, 0)
    t.same(seen, codes)
  })
}

t.test('what can not be served is an error, and leaves no listener', async (t) => {
  const { config } = await start(t)
  const before = listeners()
  await t.rejects(serve({ ...config, backup: { ...config.backup, enabled: false } }), {
    code: 'CONFIG_INVALID',
    message: /backup\.enabled is false/,
  })
  t.equal(listeners(), before)
})
