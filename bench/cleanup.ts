import type { Owner } from '../test/servers/owner.js'

/** What is to be undone when a bench is over, the last thing first; a signal counts as over, too. */
export class Cleanup implements Owner {
  readonly #actions: (() => void | Promise<void>)[] = []

  teardown(action: () => void | Promise<void>): void {
    this.#actions.push(action)
  }

  async run(): Promise<void> {
    for (let action = this.#actions.pop(); action; action = this.#actions.pop()) await action()
  }
}

/** Runs a bench as a program: it ends non-zero when the bench throws, and leaves nothing behind. */
export async function runBench(bench: (cleanup: Cleanup) => Promise<void>): Promise<never> {
  const cleanup = new Cleanup()
  const end = async (code: number): Promise<never> => {
    await cleanup.run()
    process.exit(code)
  }
  process.once('SIGINT', () => void end(130))
  process.once('SIGTERM', () => void end(143))
  try {
    await bench(cleanup)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return end(1)
  }
  return end(0)
}
