import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { lockState } from '../../src/engine/instance-lock.js'
import { asNobody } from '../support/nobody.js'

const lockFile = import.meta.resolve('../../src/engine/instance-lock.js')

/** Another process that takes the lock, and holds it until it is killed, though it keeps nothing of it in mind. */
async function holdElsewhere(t: Test, statePath: string): Promise<{ pid: number; kill: () => Promise<void> }> {
  const code = `import { lockState } from '${lockFile}'
    lockState(process.argv[1])
    setTimeout(() => { gc(); process.stdout.write('held') }, 1)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', code, statePath], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return {
    pid: child.pid ?? 0,
    kill: async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

t.test('the folder is made, for us alone; a lock that was given back can be taken again', async (t) => {
  const statePath = `${t.testdir({})}/not/yet`
  lockState(statePath).release()
  t.equal(statSync(statePath).mode & 0o777, 0o700)
  const lock = lockState(statePath)
  lock.release()
  lock.release()
  lockState(statePath).release()
})

t.test('a second one learns who holds it; the lock dies with its process', async (t) => {
  const statePath = t.testdir({})
  const { pid, kill } = await holdElsewhere(t, statePath)
  for (const turn of [1, 2]) {
    t.throws(
      () => lockState(statePath),
      {
        code: 'BUSY',
        message: new RegExp(`${statePath}: process ${pid} on ${hostname()} since 20\\d\\d-`),
        detail: { holder: { pid, host: hostname() } },
      },
      `${turn}`,
    )
  }
  await kill()
  const lock = lockState(statePath)
  t.teardown(() => lock.release())
  t.throws(() => lockState(statePath), { code: 'BUSY', message: new RegExp(`process ${process.pid} `) })
})

t.test('a holder that did not say who it is', async (t) => {
  const statePath = t.testdir({})
  const other = new Database(`${statePath}/lock.db`)
  t.teardown(() => other.close())
  other.exec('BEGIN EXCLUSIVE')
  t.throws(() => lockState(statePath), { code: 'BUSY', message: /another process$/, detail: { holder: undefined } })
})

t.test('one that slipped in between has it', async (t) => {
  const statePath = t.testdir({})
  const other = new Database(`${statePath}/lock.db`)
  t.teardown(() => other.close())
  other.exec(`CREATE TABLE holder (token TEXT, host TEXT, pid INTEGER, operation TEXT, since TEXT);
    CREATE TRIGGER late AFTER INSERT ON holder BEGIN UPDATE holder SET token = 'x', pid = 4711, host = 'elsewhere'; END`)
  t.throws(() => lockState(statePath), { code: 'BUSY', message: /process 4711 on elsewhere/ })
})

t.test('a folder that can not be used says why', async (t) => {
  const folder = t.testdir({ file: '' })
  t.throws(() => lockState(`${folder}/file/state`), {
    code: 'STORE_DENIED',
    message: /cannot use backup\.state_path .*file\/state: ENOTDIR/,
  })
  mkdirSync(`${folder}/text`)
  writeFileSync(`${folder}/text/lock.db`, 'this is no database at all, but a text that is long enough to be looked at')
  t.throws(() => lockState(`${folder}/text`), { code: 'STORE_DENIED', message: /file is not a database/ })
  mkdirSync(`${folder}/roots`, { mode: 0o755 })
  await asNobody(async () => t.throws(() => lockState(`${folder}/roots`), { code: 'STORE_DENIED' }))
})
