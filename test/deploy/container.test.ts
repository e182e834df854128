import { execFile, spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { serve } from '../e2e/served.js'
import { freePort } from '../servers/port.js'
import { copyFixture } from '../support/fixture.js'
import { root } from '../support/root.js'
import { findLinter } from './linters.js'

const dockerfile = readFileSync(`${root}/Dockerfile`, 'utf8')
const lastStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '))

t.test('the Dockerfile is as hadolint wants it', async (t) => {
  const lint = spawnSync(await findLinter('hadolint'), ['--no-color', `${root}/Dockerfile`])
  t.equal(lint.status, 0, `${lint.stdout}${lint.stderr}`)
})

t.test('it copies what is there and what .dockerignore lets in; the image has nothing that builds', async (t) => {
  const ignored = readFileSync(`${root}/.dockerignore`, 'utf8').split('\n')
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names = '']) => names.split(' '))
  const here = readdirSync(root)
  for (const name of new Set(copied)) t.ok(here.includes(name) && ignored.includes(`!${name}`), name)
  t.same(new Set(ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1))), new Set(copied))
  t.match(lastStage, /^\nFROM debian:\S+-slim\n/)
  t.notMatch(lastStage, /\b(npm|apt-get|make|g\+\+)\b/)
  t.match(lastStage, '\nUSER 1000:1000\n')
})

t.test('as in the container: user 1000 without rights, on a root file system that can only be read', async (t) => {
  const folder = t.testdir({})
  copyFixture(folder)
  for (const name of ['backups', 'state', 'tmp']) mkdirSync(`${folder}/${name}`)
  for (const name of ['.', ...(readdirSync(folder, { recursive: true }) as string[])])
    chownSync(`${folder}/${name}`, 1000, 1000)
  const port = await freePort()
  const env = {
    TMPDIR: `${folder}/tmp`,
    ARC_BACKUP_PORT: `${port}`,
    ARC_BACKUP_LOCAL_PATH: `${folder}/backups`,
    ARC_BACKUP_STATE_PATH: `${folder}/state`,
  }
  const { program, call, settled } = await serve(t, folder, env, confined(folder))
  await call('POST', '')
  const { backup_id, ...backup } = await settled()
  t.match(backup, { outcome: 'completed', processed_files: 36 })
  await call('POST', '/restore', { backup_id, confirm: true, restore_config: true })
  t.match(await settled(), { outcome: 'completed' })

  const [, ...check] = JSON.parse(/CMD (\["node", "-e".*\])$/m.exec(dockerfile)?.[1] ?? '') as string[]
  const health = (at: number) =>
    promisify(execFile)(process.execPath, check, { env: { ARC_BACKUP_PORT: `${at}` } }).then(
      () => 0,
      ({ code }: { code: number }) => code,
    )
  t.equal(await health(port), 0, 'the health check finds it well')
  program.child.kill('SIGTERM')
  t.match(await program.ended, { code: 0 })
  t.equal(await health(port), 1, 'and finds that it is gone')

  const [first = '', ...rest] = [...confined(folder), 'touch', `${folder}.elsewhere`]
  const elsewhere = spawnSync(first, rest, { encoding: 'utf8' })
  t.match(elsewhere, { status: 1, stderr: /Read-only file system/ }, 'nothing else can be written')
})

/** Runs a command as user 1000 without any right, where only this folder can be written. It takes the place of the shell, so that signals reach it. */
function confined(folder: string): string[] {
  const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && cd "$0" && exec "$@"'
  const rights = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups', '--bounding-set=-all', '--no-new-privs']
  return ['unshare', '--mount', 'sh', '-c', script, folder, ...rights]
}
