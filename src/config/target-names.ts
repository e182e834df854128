import { targetsTable, variableOf } from './settings.js'
import { showValue } from './show.js'
import { type ConfigFile, placeOf } from './source.js'

const allowed = /^[a-z0-9_]{1,64}$/
/** Under this name `backup.local_path` is a target. */
export const localTarget = 'local'
const namesKey = 'backup.target_names'

/** Targets by name, and what is wrong with names, by their key. */
export interface TargetNames {
  readonly names: readonly string[]
  readonly problems: ReadonlyMap<string, string>
}

/** The tables in the file, and the names listed for the environment: which variables belong to a target could not be told without them. */
export function targetNamesOf(file: ConfigFile | null, env: NodeJS.ProcessEnv): TargetNames {
  const problems = new Map<string, string>()
  const inFile = file?.targets ?? []
  for (const name of inFile) {
    const key = `${targetsTable}.${name}`
    if (!allowed.test(name)) problems.set(key, `${placeOf(file, key)}: ${notAName(name)}`)
  }
  const variable = env[variableOf(namesKey)]
  const listed = variable || file?.values.get(namesKey)
  const where = variable ? `environment variable ${variableOf(namesKey)} (${namesKey})` : placeOf(file, namesKey)
  // A name of the wrong kind is the schema's business.
  const inList = typeof listed === 'string' ? namesIn(listed) : []
  for (const name of inList) if (!allowed.test(name)) problems.set(namesKey, `${where}: ${notAName(name)}`)
  const names = new Set([...inFile, ...inList].filter((name) => allowed.test(name)))
  return { names: [...names].sort(), problems }
}

function namesIn(listed: string): string[] {
  return listed
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
}

function notAName(name: string): string {
  const suggested = name.replaceAll(/[^a-z0-9_]/g, '_').slice(0, 64) || 'nas'
  const rule = 'letters, digits and "_", at most 64: other signs cannot stand in the names of its variables'
  return `${showValue(name)} is no name for a target, expected ${rule}; write "${suggested}"`
}
