import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import t from 'tap'
import { copyFixture, facts } from '../support/fixture.js'
import { root } from '../support/root.js'

t.setTimeout(600_000)
/** `npm run try-package` compiles better-sqlite3 as an operator's npm does; npm test takes the one that `npm ci` has compiled. */
const compiles = process.env.ARC_BACKUP_TRY_PACKAGE !== undefined
const quiet = ['--no-audit', '--no-fund', '--loglevel=error']

t.test('the tarball installs in an empty folder, starts, backs up, and stops', async (t) => {
  const folder = t.testdir({ empty: {}, tarball: {}, arc: {} })
  const npm = (cwd: string, ...args: string[]) => execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: 'pipe' })
  // With its scripts `npm pack` builds anew, into the dist/ that other tests run from.
  const packed = npm(root, 'pack', '--json', '--ignore-scripts', `--pack-destination=${folder}/tarball`)
  const [{ files }] = JSON.parse(packed) as [{ files: { path: string }[] }]
  const paths = files.map(({ path }) => path)
  t.same(
    paths.filter((path) => !/^(dist\/(src|workers|page)|deploy\/(grafana|prometheus|systemd))\//.test(path)).sort(),
    ['CHANGELOG.md', 'LICENSE', 'README.md', 'arc.toml', 'package.json'],
  )
  for (const path of ['dist/page/index.html', 'dist/workers/transfer.js', 'deploy/systemd/arc-backup.service'])
    t.ok(paths.includes(path), path)

  const prefix = `${folder}/prefix`
  const [tarball = ''] = readdirSync(`${folder}/tarball`)
  const scripts = compiles ? [] : ['--ignore-scripts']
  const install = ['install', '--global', `--prefix=${prefix}`, '--prefer-offline', ...scripts, ...quiet]
  npm(`${folder}/empty`, ...install, `${folder}/tarball/${tarball}`)
  t.same(readdirSync(`${folder}/empty`), [])
  const sqlite = 'node_modules/better-sqlite3/build'
  if (!compiles) cpSync(`${root}/${sqlite}`, `${prefix}/lib/node_modules/arc-backup/${sqlite}`, { recursive: true })

  const program = `${prefix}/bin/arc-backup`
  const arc = `${folder}/arc`
  copyFixture(arc)
  mkdirSync(`${arc}/home`)
  const env = { PATH: process.env.PATH, HOME: `${arc}/home`, ARC_BACKUP_PORT: '0', ARC_BACKUP_HOST: '127.0.0.1' }
  const service = spawn(program, ['serve'], { cwd: arc, env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => service.kill('SIGKILL'))
  let said = ''
  for await (const text of service.stdout.iterator({ destroyOnReturn: false })) {
    said += String(text)
    if (said.includes('"url"')) break
  }
  const [, url = ''] = /"url":"([^"]+)"/.exec(said) ?? []
  t.equal((await fetch(`${url}/`)).status, 200, 'it has the page')
  // A token that Arc hashed by bcrypt, which is the other thing that is compiled.
  const ran = execFileSync(program, ['backup', '--json', '--url', url], {
    cwd: arc,
    env: { ...env, ARC_TOKEN: facts.tokens.bcrypt_admin },
    encoding: 'utf8',
  })
  t.match(JSON.parse(ran), { outcome: 'completed', processed_files: 36 })
  service.kill('SIGTERM')
  t.same(await once(service, 'close'), [0, null])
})
