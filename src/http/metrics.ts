import { MetricRegistry } from './metric-registry.js'
import { OperationMetrics } from './operation-metrics.js'
import type { Operations } from './operations.js'
import { ProcessMetrics } from './process-metrics.js'
import { TargetMetrics } from './target-metrics.js'

/**
 * What Prometheus scrapes. Labels are names from the configuration, codes and words of ours: no path, no id, no name of a database, nothing that a stranger may not
 * read.
 */
export class Metrics {
  readonly #registry = new MetricRegistry()
  readonly #process: ProcessMetrics

  constructor(operations: Operations) {
    new OperationMetrics(operations, this.#registry)
    new TargetMetrics(operations, this.#registry)
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
