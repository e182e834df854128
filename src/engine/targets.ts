import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { isServiceError, ServiceError } from '../errors.js'
import { isBackupId } from '../format/backup-id.js'
import { type Manifest, newestFirst, summarize } from '../format/manifest.js'
import { openStore, type StoreConfig } from '../stores/open.js'
import type { Store } from '../stores/store.js'
import { type FoundList, type FoundManifest, listManifests, loadManifest } from './backups.js'
import { Joined } from './joined.js'
import type { TargetSpace } from './measures.js'
import type { Verdicts } from './verdicts.js'

/** A place for backups, as it is configured. */
export interface TargetConfig {
  readonly name: string
  readonly store: StoreConfig
  readonly locked: boolean
}

export interface Target {
  readonly name: string
  readonly store: Store
  /** Is a lock taken before anything is written there? */
  readonly locked: boolean
}

export interface BackupList {
  /** Newest first, each with its `target`. */
  readonly backups: Record<string, unknown>[]
  readonly warnings: string[]
  /** Names of targets that gave no answer in time. */
  readonly unreachable: string[]
}

/** How long a target may keep a list waiting, in ms. */
const patience = 5000
/** What may have been meant for the name of a target; tokens are longer. */
const mistyped = /^[\w-]{1,23}$/

/** All places for backups. A backup is found by its id wherever it is. */
export class Targets {
  readonly #targets: readonly Target[]
  readonly #defaultName: string
  readonly #lists = new Joined<FoundList>()
  readonly #manifests = new Joined<Manifest>()

  private constructor(targets: readonly Target[], defaultName: string) {
    this.#targets = targets
    this.#defaultName = defaultName
  }

  static async open(configs: readonly TargetConfig[], defaultName: string): Promise<Targets> {
    const opened = configs.map(async ({ store, ...config }) => ({ ...config, store: await openStore(store) }))
    return new Targets(await Promise.all(opened), defaultName)
  }

  /** The target of this name, or the default one. @throws REQUEST_INVALID */
  get(name = this.#defaultName): Target {
    const found = this.#targets.find((target) => target.name === name)
    if (found) return found
    const known = this.#targets.map((target) => target.name).join(', ')
    // Not whatever was sent: a token that was put there by mistake would come back.
    const shown = mistyped.test(name) ? ` "${name}"` : ''
    throw new ServiceError('REQUEST_INVALID', `unknown target${shown}: expected ${known}`)
  }

  get all(): readonly Target[] {
    return this.#targets
  }

  /** Room at each target that has a limit; one that can't say so now is left out. */
  async space(): Promise<TargetSpace[]> {
    const asked = this.#targets.map(async (target) => {
      const found = await settle(inTime(target, target.store.space?.() ?? Promise.resolve(undefined)))
      if (found.status === 'rejected' || !found.value) return []
      return [{ target: target.name, free: found.value.bytes, capacity: found.value.capacity }]
    })
    return (await Promise.all(asked)).flat()
  }

  /** Those that give no answer now. */
  async silent(): Promise<readonly Target[]> {
    const look = ({ store }: Target): Promise<unknown> => store.list('', { depth: 1 })[Symbol.asyncIterator]().next()
    const answers = await Promise.all(this.#targets.map((target) => settle(inTime(target, look(target)))))
    return this.#targets.filter((_, index) => {
      const answer = answers[index]
      // One that was never written to has no folder.
      return answer?.status === 'rejected' && !isServiceError(answer.reason, 'STORE_NOT_FOUND')
    })
  }

  /** Summaries of the backups everywhere. One target that does not answer keeps nobody from seeing the others. @throws UNAVAILABLE when none can be read */
  async list(log: Logger, verdicts: Pick<Verdicts, 'of'>): Promise<BackupList> {
    const answers = await Promise.all(
      this.#targets.map((target) =>
        settle(this.#lists.ask(target.name, () => inTime(target, listManifests(target.store, log)))),
      ),
    )
    const unreachable: string[] = []
    const warnings: string[] = []
    const found: (FoundManifest & { target: string })[] = []
    for (const [index, { name }] of this.#targets.entries()) {
      const answer = answers[index]
      if (answer?.status === 'fulfilled') {
        warnings.push(...answer.value.warnings)
        found.push(...answer.value.manifests.map((manifest) => ({ ...manifest, target: name })))
      } else {
        if (this.#targets.length === 1) throw answer?.reason
        unreachable.push(name)
        warnings.push(`backups at ${name} are not in this list: ${messageOf(answer?.reason)}`)
        log.warn({ target: name, err: answer?.reason }, 'target without answer left out of the list')
      }
    }
    if (unreachable.length === this.#targets.length)
      throw new ServiceError('UNAVAILABLE', `no target can be read: ${warnings.join('; ')}`)
    found.sort((a, b) => newestFirst(a.manifest, b.manifest))
    const backups = found.map(({ manifest, sha256, pinned, target }) => ({
      ...summarize(manifest),
      target,
      ...(pinned && { pinned }),
      ...verdicts.of(manifest.backup_id, target, sha256),
    }))
    return { backups, warnings, unreachable }
  }

  /**
   * The target that has this backup.
   *
   * @throws NOT_FOUND; MANIFEST_INVALID where its manifest is damaged, with `detail.target`; REQUEST_INVALID where several have it; UNAVAILABLE where a target that can't be asked may have it
   */
  async find(id: string, name?: string): Promise<{ target: Target; manifest: Manifest }> {
    const asked = name === undefined ? this.#targets : [this.get(name)]
    const load = (target: Target): Promise<Manifest> =>
      this.#manifests.ask(`${target.name}/${id}`, () => inTime(target, loadManifest(target.store, id)))
    const answers = await Promise.all(asked.map((target) => settle(load(target))))
    const have: { target: Target; manifest: Manifest }[] = []
    const failures: { target: Target; error: unknown }[] = []
    for (const [index, target] of asked.entries()) {
      const answer = answers[index]
      if (answer?.status === 'fulfilled') have.push({ target, manifest: answer.value })
      else if (!isServiceError(answer?.reason, 'NOT_FOUND')) failures.push({ target, error: answer?.reason })
    }
    const [first, ...others] = have
    if (first && others.length === 0) return first
    if (first) {
      const names = have.map(({ target }) => target.name)
      throw new ServiceError(
        'REQUEST_INVALID',
        `${id} is on several targets: ${names.join(', ')}; say which by target`,
        {
          targets: names,
        },
      )
    }
    const [failure] = failures
    if (!failure) throw new ServiceError('NOT_FOUND', 'Backup not found')
    const { error, target } = failure
    if (isServiceError(error, 'MANIFEST_INVALID', 'INTEGRITY'))
      throw new ServiceError(error.code, error.message, { ...error.detail, target: target.name, cause: error })
    if (asked.length === 1) throw error
    throw new ServiceError(
      'UNAVAILABLE',
      `cannot say where ${id} is: ${target.name} does not answer (${messageOf(error)})`,
      { cause: error },
    )
  }

  /** The same where the backup's manifest may be damaged: one more reason to delete it, or to look what else is wrong. @throws as `find`, but for that */
  async holderOf(id: string, name?: string): Promise<Target> {
    try {
      return (await this.find(id, name)).target
    } catch (error) {
      if (!isBackupId(id) || !isServiceError(error, 'MANIFEST_INVALID', 'INTEGRITY')) throw error
      return this.get(name ?? (error.detail.target as string | undefined))
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#targets.map(({ store }) => store.close()))
  }
}

async function inTime<T>({ name, store }: Target, action: Promise<T>): Promise<T> {
  const timer = new AbortController()
  const late = sleep(patience, undefined, { signal: timer.signal }).then(() => {
    throw new ServiceError('STORE_TIMEOUT', `${name} (${store.url}) gave no answer in ${patience / 1000} s`)
  })
  late.catch(() => {})
  try {
    return await Promise.race([action, late])
  } finally {
    timer.abort()
  }
}

async function settle<T>(action: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([action])
  return result
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
