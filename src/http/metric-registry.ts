import { Counter, Gauge, type Metric, Registry } from 'prom-client'

/** One line of a scrape. */
export type Sample<L extends string> = readonly [labels: Readonly<Record<L, string>>, value: number]

/** The measurements of one service. Each is read when a scrape asks for it; two scrapes at once don't disturb each other. */
export class MetricRegistry {
  readonly #registry = new Registry()

  get contentType(): string {
    return this.#registry.contentType
  }

  async scrape(): Promise<string> {
    return this.#registry.metrics()
  }

  add(metric: Metric): void {
    this.#registry.registerMetric(metric)
  }

  /** What goes up and down. */
  gauge<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    read: () => Iterable<Sample<L>> | Promise<Iterable<Sample<L>>>,
  ): void {
    new Gauge<L>({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      async collect() {
        const samples = await read()
        this.reset()
        for (const [labels, value] of samples) this.set(labels, value)
      },
    })
  }

  /** What only goes up while the process lives, and is counted elsewhere. */
  counter<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    read: () => Iterable<Sample<L>>,
  ): void {
    new Counter<L>({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset()
        for (const [labels, value] of read()) this.inc(labels, value)
      },
    })
  }
}
