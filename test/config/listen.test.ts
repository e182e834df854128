import { symlinkSync } from 'node:fs'
import t from 'tap'
import { loadConfig } from '../../src/config/load.js'

t.test('host and port: [backup] over [server]', async (t) => {
  const server = (toml: string) => loadConfig({ cwd: t.testdir({ 'arc.toml': toml }), env: {} }).server
  t.match(server('[server]\nhost = "h"\nport = 1'), { host: 'h', port: 1, portKey: 'server.port' })
  t.match(server('[server]\nhost = "h"\nport = 1\n[backup]\nhost = "b"\nport = 0'), {
    host: 'b',
    port: 0,
    portKey: 'backup.port',
  })
  t.match(server('[server]\nhost = "h"\n[backup]\nhost = ""'), { host: 'h' })
  t.match(server('[server]\nhost = "[fe80::1]"'), { host: 'fe80::1' })
})

t.test('without authentication only this machine may call', async (t) => {
  const load = (host: string, allow = false) => {
    const toml = `[auth]\nenabled = false\n[backup]\nhost = "${host}"\nallow_unauthenticated = ${allow}`
    const { server, warnings } = loadConfig({ cwd: t.testdir({ 'arc.toml': toml }), env: {} })
    return [server.host, ...warnings]
  }
  for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', 'LOCALHOST', '::1']) t.strictSame(load(host), [host])
  t.strictSame(load('[::1]'), ['::1'])
  for (const host of ['0.0.0.0', '10.0.0.1', '::', '::2', '127.example.com', '127.0.0.1.example.com']) {
    t.match(load(host), [
      '127.0.0.1',
      `auth.enabled is false: the service listens on 127.0.0.1 only, and ${host} is ignored`,
    ])
  }
  t.match(load(''), ['127.0.0.1', 'and every address is ignored'])
  t.match(load('0.0.0.0', true), ['0.0.0.0', 'anyone who reaches 0.0.0.0 can restore and delete backups'])
  t.match(load('', true), ['', 'anyone who reaches every address'])
  t.strictSame(load('127.0.0.1', true), ['127.0.0.1'])
})

t.test('TLS needs both files, and they must be files', async (t) => {
  const cwd = t.testdir({ 'cert.pem': 'x', folder: {} })
  symlinkSync('cert.pem', `${cwd}/key.pem`)
  const load = (cert: string, key: string, enabled = true) => {
    const env = { ARC_SERVER_TLS_ENABLED: `${enabled}`, ARC_SERVER_TLS_CERT_FILE: cert, ARC_SERVER_TLS_KEY_FILE: key }
    return loadConfig({ cwd, env }).server.tls
  }
  t.strictSame(load('cert.pem', './key.pem'), { certFile: `${cwd}/cert.pem`, keyFile: `${cwd}/key.pem` })
  t.equal(load('missing', 'missing', false), null)
  for (const wrong of ['', 'missing', 'folder', 'cert.pem/x']) {
    t.throws(() => load(wrong, 'key.pem'), {
      code: 'CONFIG_INVALID',
      message: /server.tls_cert_file.*expected an existing regular file/,
    })
    t.throws(() => load('cert.pem', wrong), {
      code: 'CONFIG_INVALID',
      message: /server.tls_key_file.*expected an existing regular file/,
    })
  }
  t.throws(() => load('', ''), { message: /tls_cert_file(.|\n)*tls_key_file/ })
})

t.test("clients' certificates", async (t) => {
  const cwd = t.testdir({ 'cert.pem': 'x', 'key.pem': 'x', 'ca.pem': 'x' })
  const env = {
    ARC_SERVER_TLS_ENABLED: 'true',
    ARC_SERVER_TLS_CERT_FILE: 'cert.pem',
    ARC_SERVER_TLS_KEY_FILE: 'key.pem',
  }
  const load = (more: NodeJS.ProcessEnv) => loadConfig({ cwd, env: { ...env, ...more } }).server.tls
  t.notOk('clients' in (load({}) ?? {}))
  const caFile = `${cwd}/ca.pem`
  t.strictSame(load({ ARC_BACKUP_TLS_CLIENT_CA_FILE: 'ca.pem' })?.clients, { caFile, required: true })
  const asked = { ARC_BACKUP_TLS_CLIENT_CA_FILE: 'ca.pem', ARC_BACKUP_TLS_CLIENT_AUTH: 'request' }
  t.strictSame(load(asked)?.clients, { caFile, required: false })
  t.throws(() => load({ ARC_BACKUP_TLS_CLIENT_CA_FILE: 'missing' }), {
    message: /tls_client_ca_file.*existing regular file/,
  })
  t.throws(() => load({ ARC_BACKUP_TLS_CLIENT_CA_FILE: 'ca.pem', ARC_SERVER_TLS_ENABLED: 'false' }), {
    message: /tls_client_ca_file.*expected nothing, because server.tls_enabled is false/,
  })
})
