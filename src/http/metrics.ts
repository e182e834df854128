import { MetricRegistry } from './metric-registry.js'
import { OperationMetrics } from './operation-metrics.js'
import type { Operations } from './operations.js'
import { ProcessMetrics } from './process-metrics.js'
import type { Scheduled } from './schedule.js'
import { ScheduleMetrics } from './schedule-metrics.js'
import { TargetMetrics } from './target-metrics.js'

/**
 * What Prometheus scrapes. Labels are names from the configuration, codes and words of ours: no path, no id, no name of a database, nothing that a stranger may not
 * read.
 */
export class Metrics {
  readonly #registry = new MetricRegistry()
  readonly #process: ProcessMetrics

  /** @param schedule null where nothing is scheduled */
  constructor(operations: Operations, schedule: Scheduled | null = null) {
    new OperationMetrics(operations, this.#registry)
    new TargetMetrics(operations, this.#registry)
    if (schedule) new ScheduleMetrics(schedule, this.#registry)
    this.#process = new ProcessMetrics(operations, this.#registry)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  async scrape(): Promise<string> {
    return this.#registry.scrape()
  }

  close(): void {
    this.#process.close()
  }
}
