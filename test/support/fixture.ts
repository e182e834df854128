import { cpSync, readFileSync } from 'node:fs'
import { root } from './root.js'

/** What a real Arc wrote. */
export const arcs = `${root}test/fixtures/arc-26.09.1`

/** Tokens, answers and counts that a real Arc gave; see the folder's `facts.json`. */
export const facts = JSON.parse(readFileSync(`${arcs}/facts.json`, 'utf8')) as {
  tokens: Record<string, string>
  verdicts_of_GET_backup: Record<string, number>
  probes: Record<string, [method: string, path: string, status: number, body: string]>
  query_counts: Record<string, [status: number, body: string]>
}

/** Id of the backup that Arc made. */
export const arcBackupId = 'backup-20261123-103045-c526b8a7'

export const adminToken = String(facts.tokens.bootstrap_admin)

/** Copies Arc's data directory (storage root `data/arc`, `data/arc.db`, `data/backups`, `arc.toml`) into an empty folder. */
export function copyFixture(folder: string): void {
  cpSync(`${arcs}/data`, `${folder}/data`, { recursive: true })
  cpSync(`${arcs}/arc.toml`, `${folder}/arc.toml`)
}
