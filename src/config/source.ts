import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import TOML from '@ltd/j-toml'
import { ServiceError, systemCode } from '../errors.js'
import { linesOf } from './lines.js'
import { tables, targetsTable } from './settings.js'

/** A configuration file as it was found. */
export interface ConfigFile {
  readonly path: string
  /** Every value, by its dotted name in lower case; a table that we don't know is one value. */
  readonly values: ReadonlyMap<string, unknown>
  /** Names of the tables in `backup.targets`, in lower case, each once. */
  readonly targets: readonly string[]
  /** Names that stand there more than once, in different letter case: TOML allows it, Arc takes either. */
  readonly repeated: readonly string[]
  readonly lines: ReadonlyMap<string, readonly number[]>
}

/** Arc's folders, in its order. */
export function searchFolders(cwd: string, home: string | undefined): string[] {
  return [cwd, '/etc/arc', ...(home ? [join(home, '.arc')] : [])]
}

/**
 * The first `arc.toml` in these folders, or none. Arc would take a file `arc` without an ending too, and so try to parse its own binary.
 *
 * @throws CONFIG_INVALID for one that can't be read or is not TOML
 */
export function findConfigFile(folders: readonly string[]): ConfigFile | null {
  for (const folder of folders) {
    const path = join(folder, 'arc.toml')
    if (isThere(path)) return readConfigFile(path)
  }
  return null
}

/** A file that was named must be there. @throws CONFIG_INVALID */
export function readConfigFile(path: string): ConfigFile {
  let toml: string
  try {
    toml = readFileSync(resolve(path), 'utf8')
  } catch (error) {
    throw unreadable(path, error)
  }
  return parseConfig(toml, path)
}

/** @throws CONFIG_INVALID with the line, which itself is not shown: a secret may stand in it */
export function parseConfig(toml: string, path: string): ConfigFile {
  // Editors on Windows put a byte order mark in front.
  const source = toml.replace(/^\uFEFF/, '')
  let root: object
  try {
    root = TOML.parse(source, { joiner: '\n', bigint: false })
  } catch (error) {
    // The parser's message ends with the text of the line, so neither it nor the error as a cause may go on.
    const { message } = error as Error
    const line = / at line (\d+)/.exec(message)?.[1]
    const why = message.startsWith('Duplicate') ? 'this name is defined twice' : 'this line is not valid TOML'
    throw new ServiceError('CONFIG_INVALID', `${path}:${line ?? '?'}: ${why}`)
  }
  const found = { values: new Map<string, unknown>(), targets: new Set<string>(), repeated: [] as string[] }
  flatten(root, '', found)
  return { path, ...found, targets: [...found.targets], lines: linesOf(source) }
}

interface Found {
  readonly values: Map<string, unknown>
  readonly targets: Set<string>
  readonly repeated: string[]
}

function flatten(table: object, prefix: string, found: Found): void {
  for (const [name, value] of Object.entries(table)) {
    const key = prefix + name.toLowerCase()
    const isTarget = prefix === `${targetsTable}.` && isTable(value)
    if (isTarget) found.targets.add(name.toLowerCase())
    if (isTarget || (tables.has(key) && isTable(value))) flatten(value, `${key}.`, found)
    else if (found.values.has(key)) found.repeated.push(key)
    else found.values.set(key, value)
  }
}

/** The parser has classes of its own for dates and times; tables are what else is an object. */
export function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('toJSON' in value)
}

/** `file:line`, with the line of the table where the name itself stands on none (an inline table). */
export function placeOf(file: ConfigFile | null, name: string): string {
  const names = name.split('.')
  for (let depth = names.length; depth > 0; depth -= 1) {
    const lines = file?.lines.get(names.slice(0, depth).join('.'))
    if (lines) return `${file?.path}:${lines.join(',')}`
  }
  return `${file?.path}`
}

function isThere(path: string): boolean {
  try {
    return !statSync(path).isDirectory()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false
    throw unreadable(path, error)
  }
}

function unreadable(path: string, error: unknown): ServiceError {
  const why = systemCode(error) === 'ENOENT' ? 'there is no such file' : (error as Error).message
  return new ServiceError('CONFIG_INVALID', `cannot read the configuration file ${path}: ${why}`, { cause: error })
}
