import type { BackupList } from '../engine/targets.js'
import type { MetricRegistry, Sample } from './metric-registry.js'
import type { Operations } from './operations.js'

/** Ms for which what targets answered is shown again: a listing of an object store costs requests. */
const listPeriod = 60_000
/** Ms that a scrape waits for targets: a Prometheus waits for ten seconds. */
const patience = 3000
const verdicts = ['damaged', 'quick', 'full', 'deep', 'none'] as const

/** What the targets hold, as the last look found it: at most a minute old, or older where they don't answer. */
export class TargetMetrics {
  readonly #operations: Operations
  #lookedAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> = Promise.resolve()
  /** Backups by target; a target that has never answered is not in it. */
  #found: ReadonlyMap<string, readonly Record<string, unknown>[]> = new Map()
  #unreachable: ReadonlySet<string> = new Set()

  constructor(operations: Operations, registry: MetricRegistry) {
    this.#operations = operations
    // There is a backup more, or a verdict.
    operations.onEnd(() => {
      this.#lookedAt = Number.NEGATIVE_INFINITY
    })
    const space = (name: string, help: string, value: 'free' | 'capacity') =>
      registry.gauge(`arc_backup_target_${name}`, help, ['target'], async () =>
        (await operations.space()).map((found) => [{ target: found.target }, found[value]]),
      )
    space('free_bytes', 'Room left at a target on a disk', 'free')
    space('capacity_bytes', 'Size of the file system of a target on a disk', 'capacity')
    registry.gauge(
      'arc_backup_target_up',
      'Did the target answer when its backups were last listed',
      ['target'],
      async () => {
        await this.#look()
        return operations.targetNames.map((target) => [{ target }, Number(!this.#unreachable.has(target))])
      },
    )
    registry.gauge('arc_backup_backups', 'Backups at the target', ['target'], async () => {
      await this.#look()
      return [...this.#found].map(([target, backups]) => [{ target }, backups.length])
    })
    registry.gauge(
      'arc_backup_newest_backup_timestamp_seconds',
      'When the newest backup began',
      ['target'],
      async () => {
        await this.#look()
        return [...this.#found].flatMap(([target, [newest]]): Sample<'target'>[] =>
          newest ? [[{ target }, Date.parse(String(newest.created_at)) / 1000]] : [],
        )
      },
    )
    registry.gauge(
      'arc_backup_verified_backups',
      'Backups at the target by what the last verify of each found; none: not verified',
      ['target', 'verdict'],
      async () => {
        await this.#look()
        return [...this.#found].flatMap(([target, backups]) =>
          verdicts.map(
            (verdict): Sample<'target' | 'verdict'> => [
              { target, verdict },
              backups.filter(({ verified = 'none' }) => verified === verdict).length,
            ],
          ),
        )
      },
    )
  }

  /** Resolves once the last look is recent enough, or has taken too long. */
  async #look(): Promise<void> {
    if (performance.now() - this.#lookedAt > listPeriod) {
      this.#lookedAt = performance.now()
      const names = this.#operations.targetNames
      this.#looking = this.#operations.listBackups().then(
        (list) => this.#take(list),
        () => {
          this.#unreachable = new Set(names)
        },
      )
    }
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patience)
    })
    await Promise.race([this.#looking, late]).finally(() => clearTimeout(timer))
  }

  /** A target that gave no answer keeps what it was last seen to hold. */
  #take({ backups, unreachable }: BackupList): void {
    const answered = this.#operations.targetNames.filter((target) => !unreachable.includes(target))
    this.#found = new Map([
      ...this.#found,
      ...answered.map((target) => [target, backups.filter((backup) => backup.target === target)] as const),
    ])
    this.#unreachable = new Set(unreachable)
  }
}
