import type { Owner } from '../test/servers/owner.js'

/** What is to be undone when a bench is over, the last thing first; a signal counts as over, too. */
export class Cleanup implements Owner {
  readonly #actions: (() => void | Promise<void>)[] = []

  teardown(action: () => void | Promise<void>): void {
    this.#actions.push(action)
  }

  /** For a part of the bench: what it leaves is undone when it is over, or with the whole. */
  async within(part: (own: Cleanup) => Promise<void>): Promise<void> {
    const own = new Cleanup()
    this.teardown(() => own.run())
    await part(own)
    await own.run()
  }

  async run(): Promise<void> {
    for (let action = this.#actions.pop(); action; action = this.#actions.pop()) await action()
  }
}

/** Runs a bench as a program: it ends non-zero when the bench throws or is told to stop, and leaves nothing behind either way. */
export async function runBench(bench: (cleanup: Cleanup) => Promise<void>): Promise<void> {
  const cleanup = new Cleanup()
  let ending = false
  const end = async (code: number, failure?: unknown): Promise<void> => {
    // What fails because it was stopped is no failure to tell.
    if (ending) return
    ending = true
    if (failure !== undefined) console.error(`\n${failure instanceof Error ? failure.message : String(failure)}`)
    await cleanup.run()
    process.exit(code)
  }
  process.once('SIGINT', () => void end(130))
  process.once('SIGTERM', () => void end(143))
  await bench(cleanup).then(
    () => end(0),
    (error: unknown) => end(1, error),
  )
}
