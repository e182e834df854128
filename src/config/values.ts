import { ServiceError } from '../errors.js'
import { fromVariable, isSecret, type Key, keys, type Settings, settings, tables, variableOf } from './settings.js'
import { showValue } from './show.js'
import { type ConfigFile, placeOf } from './source.js'
import { unknownNames } from './unknown.js'

/** Environment over file over default, for every known key; all that is wrong is told at once. */
export class Values {
  readonly warnings: string[]
  /** What holds; a key whose value is wrong has its default, until `check` says so. */
  readonly settings: Settings
  readonly #file: ConfigFile | null
  readonly #env: NodeJS.ProcessEnv
  readonly #given: Partial<Record<Key, unknown>> = {}
  readonly #problems = new Map<string, string>()

  constructor(file: ConfigFile | null, env: NodeJS.ProcessEnv) {
    this.#file = file
    this.#env = env
    this.warnings = unknownNames(file, env)
    this.#findBrokenTables()
    for (const key of keys) {
      const [variable, inFile] = [this.#variable(key), file?.values.get(key)]
      if (variable !== undefined) this.#given[key] = fromVariable(key, variable)
      else if (inFile !== undefined) this.#given[key] = inFile
    }
    const parsed = settings.safeParse(this.#given)
    for (const issue of parsed.error?.issues ?? []) this.refuse(issue.path[0] as Key, issue.message)
    const wrong = new Set<string>(this.#problems.keys())
    const right = Object.entries(this.#given).filter(([key]) => !wrong.has(key))
    this.settings = parsed.data ?? settings.parse(Object.fromEntries(right))
  }

  /** Is the key set at all? */
  has(key: Key): boolean {
    return this.#given[key] !== undefined
  }

  /** Has nothing been found wrong with these keys? What depends on several is judged only then. */
  holds(...some: Key[]): boolean {
    return some.every((key) => !this.#problems.has(key))
  }

  /** A problem with the value of a key, once. @param expected what it should be */
  refuse(key: Key, expected: string): void {
    if (this.#problems.has(key)) return
    const value = this.has(key) ? this.#given[key] : this.settings[key]
    this.#problems.set(key, `${this.#where(key)} is ${isSecret(key) ? '***' : showValue(value)}, expected ${expected}`)
  }

  /** @throws CONFIG_INVALID with every problem found, one a line; `problems` in its detail */
  check(): void {
    const problems = [...this.#problems.values()]
    if (problems.length === 0) return
    throw new ServiceError('CONFIG_INVALID', ['the configuration cannot be used:', ...problems].join('\n  '), {
      problems,
    })
  }

  /** An empty variable is an unset one, as for Arc. */
  #variable(key: Key): string | undefined {
    return this.#env[variableOf(key)] || undefined
  }

  #where(key: Key): string {
    if (this.#variable(key) !== undefined) return `environment variable ${variableOf(key)} (${key})`
    return this.has(key) ? `${placeOf(this.#file, key)}: ${key}` : `${key} (the default)`
  }

  #findBrokenTables(): void {
    const { values, repeated } = this.#file ?? { values: new Map<string, unknown>(), repeated: [] }
    for (const table of tables) {
      if (!values.has(table)) continue
      const shown = showValue(values.get(table))
      this.#problems.set(table, `${placeOf(this.#file, table)}: ${table} is ${shown}, expected a table [${table}]`)
    }
    for (const key of repeated.filter((one) => Object.hasOwn(settings.shape, one))) {
      const where = placeOf(this.#file, key)
      this.#problems.set(key, `${where}: ${key} is set twice, expected once: capitals make no difference`)
    }
  }
}
