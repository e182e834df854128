/** Anything that can say when it is over: a test, or a bench of its own. */
export interface Owner {
  teardown(action: () => void | Promise<void>): void
}
