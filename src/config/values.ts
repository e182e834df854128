import { distance } from 'fastest-levenshtein'
import { ServiceError } from '../errors.js'
import { type Key, type KeyName, keys, type Value } from './keys.js'
import { type ConfigFile, lineOf } from './source.js'

/** How near a known key must be to be worth naming, in edits. */
const nearest = 4

/** Environment over file over default, for every known key; all that is wrong is told at once. */
export class Values {
  readonly warnings: string[] = []
  readonly #file: ConfigFile | null
  readonly #env: NodeJS.ProcessEnv
  readonly #problems: string[] = []

  constructor(file: ConfigFile | null, env: NodeJS.ProcessEnv) {
    this.#file = file
    this.#env = env
    this.#warnOfUnknown()
  }

  get<K extends KeyName>(name: K): Value<K> {
    const key = keys[name] as unknown as Key<Value<K>>
    const given = this.#given(name)
    if (given === undefined) return key.fallback
    const value = key.reader.read(given.value)
    if (value !== undefined) return value
    const shown = key.secret ? '***' : JSON.stringify(given.value)
    this.#problems.push(`${given.where}: ${name} is ${shown}, expected ${key.reader.expected}`)
    return key.fallback
  }

  /** Is the key set at all? */
  has(name: KeyName): boolean {
    return this.#given(name) !== undefined
  }

  /** A problem with a value that its type alone does not show. */
  refuse(name: KeyName, expected: string): void {
    const given = this.#given(name)
    const where = given?.where ?? 'default'
    this.#problems.push(
      `${where}: ${name} is ${JSON.stringify(given?.value ?? keys[name].fallback)}, expected ${expected}`,
    )
  }

  /** @throws CONFIG_INVALID with every problem found so far */
  check(): void {
    if (this.#problems.length === 0) return
    throw new ServiceError(
      'CONFIG_INVALID',
      `the configuration does not hold together:\n${this.#problems.map((problem) => `  ${problem}`).join('\n')}`,
    )
  }

  #given(name: KeyName): { value: unknown; where: string } | undefined {
    const variable = variableOf(name)
    const fromEnv = this.#env[variable]
    // An empty variable is an unset one, as for Arc.
    if (fromEnv !== undefined && fromEnv !== '') return { value: fromEnv, where: `environment variable ${variable}` }
    const value = this.#file?.values.get(name)
    if (value === undefined || this.#file === null) return undefined
    const line = lineOf(this.#file.text, name)
    return { value, where: line === undefined ? this.#file.path : `${this.#file.path}:${line}` }
  }

  /** Elsewhere Arc's own keys, and those of its later versions, are none of our business. */
  #warnOfUnknown(): void {
    for (const name of this.#file?.values.keys() ?? []) {
      if (!name.startsWith('backup.') || name in keys) continue
      const line = lineOf(this.#file?.text ?? '', name)
      this.warnings.push(
        `${this.#file?.path}${line === undefined ? '' : `:${line}`}: unknown key ${name}${suggest(name)}`,
      )
    }
    for (const [variable, value] of Object.entries(this.#env)) {
      const name = Object.keys(keys).find((known) => variableOf(known) === variable)
      if (!variable.startsWith('ARC_BACKUP_') || value === '' || name) continue
      this.warnings.push(
        `environment variable ${variable} is unknown${suggest(`backup.${variable.slice(11).toLowerCase()}`, variableOf)}`,
      )
    }
  }
}

function variableOf(name: string): string {
  return `ARC_${name.toUpperCase().replaceAll('.', '_')}`
}

function suggest(name: string, spell = (known: string): string => known): string {
  const [best] = Object.keys(keys)
    .filter((known) => known.startsWith('backup.'))
    .map((known) => ({ known, edits: distance(known, name) }))
    .sort((a, b) => a.edits - b.edits)
  return best && best.edits <= nearest ? `; did you mean ${spell(best.known)}?` : ''
}
