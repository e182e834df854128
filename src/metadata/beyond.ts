import Database from 'better-sqlite3'

/** What one of Arc's databases speaks of and a copy of it does not hold. */
export interface Beyond {
  /** Are there values that can only be read with Arc's `ARC_ENCRYPTION_KEY`? */
  readonly encrypted: boolean
  /** Files that Arc has moved to its cold tier. */
  readonly coldFiles: number
}

/** Looks into a proven copy that nobody else has open. The configuration does not tell either: the key, and what switches the cold tier on, may be in Arc's environment only. */
export function lookBeyond(path: string): Beyond {
  const db = new Database(path, { readonly: true, fileMustExist: true })
  try {
    const columns = db
      .prepare(
        "SELECT t.name AS tableName, c.name AS name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'",
      )
      .all() as { tableName: string; name: string }[]
    const has = ({ tableName, name }: { tableName: string; name: string }, condition: string): number =>
      db
        .prepare(`SELECT count(*) FROM ${quote(tableName)} WHERE ${quote(name)} ${condition}`)
        .pluck()
        .get() as number
    const tier = columns.find(({ tableName, name }) => tableName === 'tier_files' && name === 'tier')
    return {
      // Arc names such columns so: passwords of brokers, secrets of spokes.
      encrypted: columns.some((column) => column.name.endsWith('_encrypted') && has(column, "<> ''") > 0),
      coldFiles: tier ? has(tier, "= 'cold'") : 0,
    }
  } finally {
    db.close()
  }
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
