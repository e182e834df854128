/** Stands where a manifest would, so that whoever comes back late to commit that backup can't: its files are being removed. */
export interface Tombstone {
  readonly tombstone: true
  /** RFC 3339. */
  readonly since: string
}

export function serializeTombstone(since: Date): string {
  const tombstone: Tombstone = { tombstone: true, since: since.toISOString() }
  return `${JSON.stringify(tombstone)}\n`
}

/** Since when, in ms since the epoch; null for what is none. */
export function readTombstone(bytes: Buffer): number | null {
  // A manifest is large and never begins like this: most need no parsing.
  if (bytes.length > 200 || !bytes.includes('"tombstone"')) return null
  try {
    const { tombstone, since } = JSON.parse(bytes.toString()) as Partial<Tombstone>
    return tombstone === true ? Date.parse(since ?? '') : null
  } catch {
    return null
  }
}
