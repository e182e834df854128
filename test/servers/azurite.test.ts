import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Azurite } from './azurite.js'

t.test('what is stored is there again after a stop and a start, on the same port', async (t) => {
  const server = await Azurite.start(t, t.testdir({}))
  const container = await server.container()
  await container.getBlockBlobClient('a').upload('content', 7)
  const { port } = server
  await server.stop()
  await t.rejects(container.getBlobClient('a').getProperties(), { code: 'ECONNREFUSED' })
  await server.start()
  t.equal(server.port, port)
  t.equal(String(await container.getBlobClient('a').downloadToBuffer()), 'content')
})

t.test('it dies with the process that started it, even when that one is killed', async (t) => {
  const script = `
    import { Azurite } from ${JSON.stringify(new URL('azurite.js', import.meta.url).href)}
    const server = await Azurite.start({ teardown() {} })
    console.log(server.pid)
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, [...process.execArgv, '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => parent.kill('SIGKILL'))
  const [pid] = await once(parent.stdout, 'data')
  t.ok(isAlive(Number(pid)))
  parent.kill('SIGKILL')
  for (let wait = 0; wait < 50 && isAlive(Number(pid)); wait += 1) await sleep(100)
  t.notOk(isAlive(Number(pid)))
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
