import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import TOML from '@ltd/j-toml'
import { ServiceError } from '../errors.js'

/** A configuration file as it was found. */
export interface ConfigFile {
  readonly path: string
  readonly text: string
  /** Every value, by its dotted name in lower case. */
  readonly values: ReadonlyMap<string, unknown>
}

/** Arc's places, in its order. A file that was named must be there; otherwise none is needed. */
export function findConfigFile(options: { file?: string; cwd: string; home: string | undefined }): ConfigFile | null {
  const { file, cwd, home } = options
  if (file !== undefined) return readConfigFile(resolve(cwd, file))
  for (const folder of [cwd, '/etc/arc', ...(home ? [join(home, '.arc')] : [])]) {
    const path = join(folder, 'arc.toml')
    if (statSync(path, { throwIfNoEntry: false })) return readConfigFile(path)
  }
  return null
}

function readConfigFile(path: string): ConfigFile {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ServiceError('CONFIG_INVALID', `cannot read the configuration file ${path}: ${reason(error)}`, {
      cause: error,
    })
  }
  return { path, text, values: parseToml(text, path) }
}

/** @throws CONFIG_INVALID with the line */
export function parseToml(text: string, path: string): ReadonlyMap<string, unknown> {
  let root: Record<string, unknown>
  try {
    root = TOML.parse(text, { joiner: '\n', bigint: false }) as Record<string, unknown>
  } catch (error) {
    throw new ServiceError('CONFIG_INVALID', `${path} is not TOML: ${reason(error)}`, { cause: error })
  }
  const values = new Map<string, unknown>()
  flatten(root, '', values)
  return values
}

/** Line (from 1) where a key stands in its table, or undefined. */
export function lineOf(text: string, name: string): number | undefined {
  let table = ''
  for (const [index, line] of text.split('\n').entries()) {
    const heading = /^\s*\[\s*([^\][]+?)\s*\]/.exec(line)
    if (heading) table = `${heading[1]?.toLowerCase()}.`
    const assigned = /^\s*([A-Za-z0-9_.-]+)\s*=/.exec(line)
    if (assigned && table + assigned[1]?.toLowerCase() === name) return index + 1
  }
  return undefined
}

function flatten(table: Record<string, unknown>, prefix: string, values: Map<string, unknown>): void {
  for (const [name, value] of Object.entries(table)) {
    const full = prefix + name.toLowerCase()
    // The parser has classes of its own for dates and times; tables are what else is an object.
    const isTable = typeof value === 'object' && value !== null && !Array.isArray(value) && !('toISOString' in value)
    if (isTable) flatten(value as Record<string, unknown>, `${full}.`, values)
    else values.set(full, value)
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
