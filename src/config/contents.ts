import type { Config } from './config.js'
import { isWithin, realPath } from './paths.js'
import type { Values } from './values.js'

/** Arc's databases: by default one file serves all its parts, and each file is backed up once, under the first name that it has here. */
export function databasesOf({ settings }: Values, toPath: (given: string) => string): Config['databases'] {
  const wanted = [
    { name: 'arc', given: settings['auth.db_path'], used: true },
    { name: 'iceberg-catalog', given: settings['iceberg.catalog_db_path'], used: settings['iceberg.enabled'] },
    { name: 'retention', given: settings['retention.db_path'], used: settings['retention.enabled'] },
    {
      name: 'continuous-query',
      given: settings['continuous_query.db_path'],
      used: settings['continuous_query.enabled'],
    },
  ]
  const found: { name: string; path: string }[] = []
  for (const { name, given, used } of wanted) {
    const path = toPath(given)
    if (used && !found.some((other) => realPath(other.path) === realPath(path))) found.push({ name, path })
  }
  return found
}

/** What a backup does not hold although this Arc has it, as far as the configuration tells; what `arc.db` tells is found when it is copied. */
export function uncoveredBy({ settings }: Values, toPath: (given: string) => string, storage: string | null): string[] {
  const uncovered = ['rows that Arc still holds in its buffers are in no backup until Arc has written them to files']
  if (settings['tiered_storage.enabled'] && settings['tiered_storage.cold.enabled']) {
    uncovered.push('files that Arc has moved to its cold tier (tiered_storage.cold) are in no backup')
  }
  const warehouse = settings['iceberg.warehouse'].replace(/^file:\/\//, '')
  if (settings['iceberg.enabled'] && warehouse !== '') {
    const path = toPath(warehouse)
    if (storage === null || !isWithin(realPath(path), storage)) {
      uncovered.push(
        `the Iceberg warehouse ${path} (iceberg.warehouse) lies outside ${storage === null ? 'the storage' : 'storage.local_path'} and is in no backup`,
      )
    }
  }
  return uncovered
}
