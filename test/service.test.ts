import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { Config } from '../src/config/config.js'
import { loadConfig } from '../src/config/load.js'
import { openCoordinator, openReader, startService } from '../src/service.js'
import { adminToken, arcBackupId, copyFixture } from './support/fixture.js'

/** Configuration over a copy of a real Arc's folder, and a log that is kept. */
function prepare(t: Test, env: NodeJS.ProcessEnv = {}) {
  const folder = t.testdir({})
  copyFixture(folder)
  const common = { ARC_BACKUP_PORT: '0', ARC_BACKUP_HOST: '127.0.0.1', ARC_BACKUP_WORKERS: '1' }
  const config = loadConfig({ cwd: folder, home: folder, env: { ...common, ...env } })
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'info', messageKey: 'message' }, { write: (line) => void lines.push(JSON.parse(line)) })
  return { folder, config, log, lines }
}

function at(config: Config, server: Partial<Config['server']>): Config {
  return { ...config, server: { ...config.server, ...server } }
}

async function list(url: string, token?: string): Promise<number> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return (await fetch(`${url}/api/v1/backup`, { headers })).status
}

t.test('it says where it listens, and with what', async (t) => {
  const { config, log, lines, folder } = prepare(t)
  const service = await startService({ ...config, warnings: ['look here'] }, log)
  t.match(service.url, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.equal(await list(service.url, adminToken), 200)
  t.equal(await list(service.url), 401)
  t.match(lines, [
    { level: 40, message: 'look here' },
    {
      message: 'listening',
      url: service.url,
      storage: `${folder}/data/arc`,
      targets: [`local: ${folder}/data/backups`],
      config: `${folder}/arc.toml`,
    },
  ])
  t.notMatch(JSON.stringify(lines), adminToken)
  await service.close()
  await t.rejects(list(service.url, adminToken), 'it is closed')
})

t.test('every address, or one of IPv6', async (t) => {
  const { config, log } = prepare(t)
  const everywhere = await startService(at(config, { host: '' }), log)
  t.match(everywhere.url, /^http:\/\/127\.0\.0\.1:\d+$/, 'a URL that can be called')
  t.equal(await list(everywhere.url, adminToken), 200)
  await everywhere.close()
  const six = await startService(at(config, { host: '::1' }), log)
  t.match(six.url, /^http:\/\/\[::1\]:\d+$/)
  t.equal(await list(six.url, adminToken), 200)
  await six.close()
})

t.test('with authentication off everyone may call', async (t) => {
  const { config, log } = prepare(t, { ARC_AUTH_ENABLED: 'false' })
  const service = await startService(config, log)
  t.teardown(() => service.close())
  t.equal(await list(service.url), 200)
})

t.test('the bootstrap token is the configured one', async (t) => {
  const bootstrap = 'a-bootstrap-token-of-more-than-32-characters'
  const { config, log, folder } = prepare(t, { ARC_AUTH_BOOTSTRAP_TOKEN: bootstrap })
  const service = await startService({ ...config, auth: { ...config.auth, dbPath: `${folder}/none.db` } }, log)
  t.teardown(() => service.close())
  t.equal(await list(service.url, bootstrap), 200)
})

t.test('a service that is switched off is not started', async (t) => {
  const { config, log } = prepare(t, { ARC_BACKUP_ENABLED: 'false' })
  await t.rejects(startService(config, log), { code: 'CONFIG_INVALID', message: /backup\.enabled is false/ })
})

t.test('an address that is not to be had names its key, and leaves nothing open', async (t) => {
  const { config, log } = prepare(t)
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  await t.rejects(startService(at(config, { port }), log), {
    code: 'CONFIG_INVALID',
    message: `cannot listen on 127.0.0.1:${port}: the port is in use; set backup.port`,
  })
  await t.rejects(startService(at(config, { port, portKey: 'server.port' }), log), {
    message: `cannot listen on 127.0.0.1:${port}: the port is in use; set backup.port, or server.port`,
  })
  await t.rejects(startService(at(config, { host: '192.0.2.1' }), log), {
    code: 'CONFIG_INVALID',
    message: /^cannot listen on 192\.0\.2\.1:0: .*EADDRNOTAVAIL/,
  })
  const service = await startService(config, log)
  t.equal(await list(service.url, adminToken), 200, 'the state is free')
  await service.close()
})

t.test('one service, or one command, for a state', async (t) => {
  const { config, log } = prepare(t)
  const service = await startService(config, log)
  await t.rejects(startService(config, log), { code: 'BUSY' })
  await t.rejects(openCoordinator(config, log), { code: 'BUSY' })
  await service.close()
  const coordinator = await openCoordinator(config, log)
  t.equal(coordinator.status(), null)
  await coordinator.close()
})

t.test('close ends what runs as interrupted', async (t) => {
  const { config, log, lines, folder } = prepare(t)
  for (let i = 0; i < 4; i += 1) {
    writeFileSync(`${folder}/data/arc/metrics/cpu/big${i}.parquet`, Buffer.alloc(64 << 20, i))
  }
  const service = await startService(config, log)
  const headers = { authorization: `Bearer ${adminToken}` }
  t.equal((await fetch(`${service.url}/api/v1/backup`, { method: 'POST', headers })).status, 202)
  await service.close()
  t.match(service.coordinator.status(), { status: 'failed', outcome: 'interrupted' })
  t.ok(lines.some(({ outcome, message }) => outcome === 'interrupted' && message === 'backup ended'))
  t.match(await openReader(config, log).lastOperation(), { status: 'failed', outcome: 'interrupted' })
})

t.test('a reader reads beside a service', async (t) => {
  const { config, log, folder } = prepare(t)
  const service = await startService(config, log)
  t.teardown(() => service.close())
  const reader = openReader(config, log)
  t.match(await reader.listBackups(), { backups: [{ backup_id: arcBackupId }], warnings: [] })
  t.match(await reader.showBackup(arcBackupId), { backup_id: arcBackupId })
  t.equal(await reader.lastOperation(), null)
  await t.rejects(reader.showBackup('backup-20200101-000000-00000000'), { code: 'NOT_FOUND' })
  writeFileSync(`${folder}/data/backups/${arcBackupId}/manifest.json`, '{')
  t.match(await reader.listBackups(), { backups: [], warnings: [/is left out/] })
})
