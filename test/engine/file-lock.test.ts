import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'

const fileLock = import.meta.resolve('../../src/engine/file-lock.js')

/** Another process that takes the lock and gives it back, file and all, until it had it so often. Fails where another one has it too. */
async function takeOften(t: Test, folder: string, times: number): Promise<unknown> {
  const code = `import { closeSync, openSync, unlinkSync } from 'node:fs'
    import { Held, lockFile } from '${fileLock}'
    const [folder, times] = process.argv.slice(1)
    for (let had = 0; had < times; ) {
      try {
        const lock = lockFile(folder + '/lock', { host: 'here', pid: process.pid, operation: 'test', since: '' })
        closeSync(openSync(folder + '/alone', 'wx'))
        unlinkSync(folder + '/alone')
        lock.release('remove')
        had += 1
      } catch (error) {
        if (!(error instanceof Held)) throw error
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.random() * 2)
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, folder, String(times)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [status] = await once(child, 'exit')
  return status
}

t.test('whose file is removed under them try again; never two have it', async (t) => {
  const folder = t.testdir({})
  t.same(await Promise.all([1, 2, 3].map(() => takeOften(t, folder, 300))), [0, 0, 0])
})
