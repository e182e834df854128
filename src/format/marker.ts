import { ServiceError } from '../errors.js'

/** `<backup>/.arc-backup.json`: whose this folder is, while it is made or removed. Arc does not look at it. */
export interface Marker {
  /** Random id of the service's state: two services on one host have two. */
  readonly instance: string
  readonly operation: string
  readonly kind: 'backup' | 'delete'
  readonly host: string
  /** RFC 3339. */
  readonly since: string
}

export function serializeMarker(marker: Marker): string {
  return `${JSON.stringify({ version: 1, ...marker }, null, 2)}\n`
}

/** @throws MANIFEST_INVALID for what is no marker */
export function readMarker(bytes: Buffer): Marker {
  const { instance, operation, kind, host, since } = parse(bytes)
  const texts = [instance, operation, host, since]
  if ((kind === 'backup' || kind === 'delete') && texts.every((text) => typeof text === 'string')) {
    return { instance, operation, kind, host, since } as Marker
  }
  throw new ServiceError('MANIFEST_INVALID', 'the marker of a backup can not be used: expected whose it is')
}

function parse(bytes: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Said below, as for anything else that is none.
  }
  return {}
}
