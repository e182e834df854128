import { azureOf } from './azure-store.js'
import type { Config, StoreSettings, Target } from './config.js'
import { describeStore, overlap } from './overlap.js'
import { isWithin, realPath } from './paths.js'
import { s3TargetOf } from './s3-store.js'
import { type Key, type StoreTable, type TargetTable, targetsTable } from './settings.js'
import { localTarget } from './target-names.js'
import type { Values } from './values.js'

/** A target with what to look at and what to name when it is wrong. */
interface Candidate extends Target {
  /** The keys that place it: nothing is said about it while one of them is wrong. */
  readonly from: Key | StoreTable
  /** The key to change. */
  readonly key: Key
}

/** Every place for backups. None overlaps the storage, where each backup would hold all earlier ones, nor another target. */
export function targetsOf(
  values: Values,
  toPath: (given: string) => string,
  storage: Config['storage'],
): Pick<Config['backup'], 'targets' | 'defaultTarget'> {
  const named = values.targets.map((name) => targetOf(values, name, toPath))
  const found = [...localPathOf(values, toPath, named), ...named]
  for (const [index, target] of found.entries()) {
    checkStorage(values, target, storage.store)
    for (const other of found.slice(0, index)) checkPair(values, target, other)
  }
  const targets = found.map(({ name, store, locked }) => ({ name, store, locked }))
  return { targets, defaultTarget: defaultOf(values, targets) }
}

/** `backup.local_path`, which is a target like the others where it is set and its name or folder is not another's. */
function localPathOf(values: Values, toPath: (given: string) => string, named: readonly Candidate[]): Candidate[] {
  const given = values.settings['backup.local_path']
  if (given === '') return []
  const root = realPath(toPath(given))
  const key = 'backup.local_path'
  if (named.some(({ name }) => name === localTarget)) {
    if (values.has(key)) values.warnings.push(`${key} is not used: [${targetsTable}.${localTarget}] has its name`)
    return []
  }
  const isDefault = values.settings['backup.default_target'] === localTarget
  const taken = named.some(({ store }) => store.kind === 'local' && store.root === root)
  return taken && !isDefault
    ? []
    : [{ name: localTarget, store: { kind: 'local', root }, locked: true, from: key, key }]
}

function targetOf(values: Values, name: string, toPath: (given: string) => string): Candidate {
  const table: TargetTable = `${targetsTable}.${name}`
  const { type, local_path: path, lock } = values.under(table)
  const locked = lock === 'auto'
  if (type === 's3' || type === 'minio') {
    return { name, store: s3TargetOf(values, table), locked, from: table, key: `${table}.s3_prefix` }
  }
  if (type === 'azure' || type === 'azblob') {
    return { name, store: azureOf(values, table), locked, from: table, key: `${table}.azure_prefix` }
  }
  if (type === undefined) values.refuse(`${table}.type`, 'one of "local", "s3", "minio", "azure", "azblob"')
  else if (path === '') values.refuse(`${table}.local_path`, 'a path')
  return {
    name,
    store: { kind: 'local', root: realPath(toPath(path)) },
    locked,
    from: table,
    key: `${table}.local_path`,
  }
}

/** On local disk a target inside the storage is left out of every backup; in a bucket nothing could leave it out for Arc too. */
function checkStorage(values: Values, { key, from, store }: Candidate, storage: StoreSettings): void {
  if (!values.holds(from, 'storage')) return
  if (store.kind === 'local' && storage.kind === 'local') {
    if (!isWithin(storage.root, store.root)) return
    values.refuse(key, `a folder that is neither the storage root ${storage.root} nor above it`)
  } else if (overlap(store, storage)) {
    values.refuse(
      key,
      `a place apart from the storage ${describeStore(storage)}: neither the same, nor in it, nor above it`,
    )
  }
}

function checkPair(values: Values, { key, from, store }: Candidate, other: Candidate): void {
  if (!values.holds(from, other.from) || !overlap(store, other.store)) return
  const place = `the target "${other.name}" (${describeStore(other.store)})`
  values.refuse(key, `a place apart from ${place}: neither the same, nor in it, nor above it`)
}

function defaultOf(values: Values, targets: readonly Target[]): Target {
  const given = values.settings['backup.default_target']
  const wanted = given === '' && values.targets.length === 0 ? localTarget : given
  const found = targets.find(({ name }) => name === wanted)
  if (found) return found
  if (targets.length === 0) values.refuse('backup.local_path', 'a path, because no other target is defined')
  else {
    const names = targets.map(({ name }) => `"${name}"`).join(', ')
    values.refuse('backup.default_target', `the target that backups go to unless told otherwise: ${names}`)
  }
  return { name: wanted, store: { kind: 'local', root: '' }, locked: true }
}
