import { isIP } from 'node:net'
import type { Config } from './config.js'
import { isFile } from './paths.js'
import type { Values } from './values.js'

const loopback = '127.0.0.1'

/** Where and how the service listens. `backup.host` and `backup.port` win over `[server]`, which is Arc's own place. */
export function serverOf(values: Values, toPath: (given: string) => string): Config['server'] {
  const { settings } = values
  const portKey = settings['backup.port'] === undefined ? 'server.port' : 'backup.port'
  return {
    host: hostOf(values),
    port: settings['backup.port'] ?? settings['server.port'],
    portKey,
    tls: tlsOf(values, toPath),
    readTimeoutMs: settings['server.read_timeout'] * 1000,
    idleTimeoutMs: settings['server.idle_timeout'] * 1000,
  }
}

/** Whoever reaches an open service can restore and delete: without authentication that is this machine only, unless the operator says otherwise. */
function hostOf({ settings, warnings }: Values): string {
  // Arc strips the brackets of an IPv6 address too.
  const host = (settings['backup.host'] || settings['server.host']).replace(/^\[(.*)\]$/, '$1')
  if (settings['auth.enabled'] || isLoopback(host)) return host
  const named = host === '' ? 'every address' : host
  if (settings['backup.allow_unauthenticated']) {
    warnings.push(
      `auth.enabled is false and backup.allow_unauthenticated true: anyone who reaches ${named} can restore and delete backups`,
    )
    return host
  }
  warnings.push(
    `auth.enabled is false: the service listens on ${loopback} only, and ${named} is ignored (backup.allow_unauthenticated = true allows it)`,
  )
  return loopback
}

export function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

type TlsKey = 'server.tls_cert_file' | 'server.tls_key_file' | 'backup.tls_client_ca_file'

function tlsOf(values: Values, toPath: (given: string) => string): Config['server']['tls'] {
  const { settings } = values
  const authorities = settings['backup.tls_client_ca_file'] !== ''
  if (!settings['server.tls_enabled']) {
    // Whoever means to keep others out by certificates shall not be left open.
    if (authorities) values.refuse('backup.tls_client_ca_file', 'nothing, because server.tls_enabled is false')
    return null
  }
  const file = (key: TlsKey, why: string): string => {
    const found = toPath(settings[key])
    if (!isFile(found)) values.refuse(key, `an existing regular file, because ${why}`)
    return found
  }
  return {
    certFile: file('server.tls_cert_file', 'server.tls_enabled is true'),
    keyFile: file('server.tls_key_file', 'server.tls_enabled is true'),
    ...(authorities && {
      clients: {
        caFile: file('backup.tls_client_ca_file', 'it is set'),
        required: settings['backup.tls_client_auth'] === 'require',
      },
    }),
  }
}
