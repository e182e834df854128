import type { Key } from './settings.js'
import type { Values } from './values.js'

const scheme = /^[a-z][a-z0-9+.-]*:\/\//i

/** An endpoint without a slash at its end; one that names no scheme gets `otherwise`. */
export function endpointOf(values: Values, key: Key, given: string, otherwise: 'http' | 'https'): string {
  const written = scheme.test(given) ? given : `${otherwise}://${given}`
  const url = URL.canParse(written) ? new URL(written) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    values.refuse(key, 'the address of a server, such as "https://host:9000", without user, password or query')
    return written
  }
  return url.origin + url.pathname.replace(/\/+$/, '')
}

/**
 * A prefix as it stands before each key: empty or with a slash at its end. Arc takes one that it does not like for none, and so the whole bucket for
 * its own; names of `.` are folded away by HTTP clients and would lead elsewhere.
 */
export function prefixOf(values: Values, key: Key, given: string): string {
  const prefix = given.replace(/^\//, '').replace(/\/$/, '')
  if (given === '') return ''
  const segments = prefix.split('/')
  if (prefix.includes('..') || segments.some((segment) => segment === '.' || !/^[A-Za-z0-9._-]+$/.test(segment))) {
    values.refuse(
      key,
      'names of letters, digits, ".", "_" and "-" with a "/" between them, none of them "." and no ".." anywhere',
    )
  }
  return `${prefix}/`
}

/** `host:port/path`: two endpoints with the same one are the same service. */
export function serviceOf(endpoint: string): string {
  const { host, pathname } = new URL(endpoint)
  return host + pathname.replace(/\/+$/, '')
}
