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
    tls: settings['server.tls_enabled']
      ? {
          certFile: tlsFile(values, 'server.tls_cert_file', toPath),
          keyFile: tlsFile(values, 'server.tls_key_file', toPath),
        }
      : null,
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

function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function tlsFile(
  values: Values,
  key: 'server.tls_cert_file' | 'server.tls_key_file',
  toPath: (given: string) => string,
): string {
  const file = toPath(values.settings[key])
  if (!isFile(file)) values.refuse(key, 'an existing regular file, because server.tls_enabled is true')
  return file
}
