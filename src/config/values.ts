import { ServiceError } from '../errors.js'
import {
  fromVariable,
  isSecret,
  type Key,
  type Settings,
  type StoreFields,
  type StoreTable,
  settingsWith,
  type TargetFields,
  type TargetTable,
  tables,
  targetsTable,
  variableOf,
} from './settings.js'
import { showValue } from './show.js'
import { type ConfigFile, placeOf } from './source.js'
import { targetNamesOf } from './target-names.js'
import { unknownNames } from './unknown.js'

/** Environment over file over default, for every known key; all that is wrong is told at once. */
export class Values {
  readonly warnings: string[]
  /** What holds; a key whose value is wrong has its default, until `check` says so. */
  readonly settings: Settings
  /** Names of the tables `[backup.targets.<name>]`, sorted. */
  readonly targets: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly #file: ConfigFile | null
  readonly #schema: ReturnType<typeof settingsWith>
  readonly #all: Readonly<Record<string, unknown>>
  readonly #given: Record<string, unknown> = {}
  readonly #problems = new Map<string, string>()

  constructor(file: ConfigFile | null, env: NodeJS.ProcessEnv) {
    this.#file = file
    this.env = env
    const { names, problems } = targetNamesOf(file, env)
    this.targets = names
    this.#schema = settingsWith(names)
    for (const [key, problem] of problems) this.#problems.set(key, problem)
    const keys = Object.keys(this.#schema.shape)
    this.warnings = unknownNames(file, env, keys)
    this.#findBrokenTables()
    for (const key of keys) {
      const [variable, inFile] = [this.#variable(key), file?.values.get(key)]
      if (variable !== undefined) this.#given[key] = fromVariable(this.#schema.shape[key], variable)
      else if (inFile !== undefined) this.#given[key] = inFile
    }
    this.#all = this.#parse()
    this.settings = this.#all as Settings
  }

  /** Is the key set at all? */
  has(key: Key): boolean {
    return this.#given[key] !== undefined
  }

  /** Is any key in this table set? */
  hasUnder(table: string): boolean {
    return Object.keys(this.#given).some((key) => key.startsWith(`${table}.`))
  }

  /** What holds in a table, by the last name of each key. */
  under(table: TargetTable): TargetFields
  under(table: StoreTable): StoreFields
  under(table: StoreTable): unknown {
    const inside = Object.entries(this.#all).filter(([key]) => key.startsWith(`${table}.`))
    return Object.fromEntries(inside.map(([key, value]) => [key.slice(table.length + 1), value]))
  }

  /** Has nothing been found wrong with these keys, nor with any in these tables? What depends on several is judged only then. */
  holds(...some: (Key | StoreTable)[]): boolean {
    return some.every((one) => ![...this.#problems.keys()].some((key) => key === one || key.startsWith(`${one}.`)))
  }

  /** A problem with the value of a key, once. @param expected what it should be */
  refuse(key: Key, expected: string): void {
    if (this.#problems.has(key)) return
    const value = this.has(key) ? this.#given[key] : this.#all[key]
    const missing = !this.has(key) && (value === undefined || value === '')
    const found = missing ? 'not set' : isSecret(key, value) ? '***' : showValue(value)
    this.#problems.set(key, `${this.#where(key, missing)} is ${found}, expected ${expected}`)
  }

  /** @throws CONFIG_INVALID with every problem found, one a line; `problems` in its detail */
  check(): void {
    const problems = [...this.#problems.values()]
    if (problems.length === 0) return
    throw new ServiceError('CONFIG_INVALID', ['the configuration cannot be used:', ...problems].join('\n  '), {
      problems,
    })
  }

  #parse(): Readonly<Record<string, unknown>> {
    const parsed = this.#schema.safeParse(this.#given)
    for (const issue of parsed.error?.issues ?? []) this.refuse(issue.path[0] as Key, issue.message)
    const right = Object.entries(this.#given).filter(([key]) => !this.#problems.has(key))
    return parsed.data ?? this.#schema.parse(Object.fromEntries(right))
  }

  /** An empty variable is an unset one, as for Arc. */
  #variable(key: string): string | undefined {
    return this.env[variableOf(key)] || undefined
  }

  #where(key: Key, missing: boolean): string {
    if (this.#variable(key) !== undefined) return `environment variable ${variableOf(key)} (${key})`
    if (this.has(key)) return `${placeOf(this.#file, key)}: ${key}`
    const table = key.slice(0, key.lastIndexOf('.'))
    if (missing) return this.#file?.lines.has(table) ? `${placeOf(this.#file, table)}: ${key}` : key
    return `${key} (the default)`
  }

  #findBrokenTables(): void {
    const { values, repeated } = this.#file ?? { values: new Map<string, unknown>(), repeated: [] }
    for (const table of values.keys()) {
      const isTarget = table.startsWith(`${targetsTable}.`) && table.split('.').length === 3
      if (!tables.has(table) && !isTarget) continue
      const shown = showValue(values.get(table))
      this.#problems.set(table, `${placeOf(this.#file, table)}: ${table} is ${shown}, expected a table [${table}]`)
    }
    for (const key of repeated.filter((one) => Object.hasOwn(this.#schema.shape, one))) {
      const where = placeOf(this.#file, key)
      this.#problems.set(key, `${where}: ${key} is set twice, expected once: capitals make no difference`)
    }
  }
}
