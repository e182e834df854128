import { AsyncLocalStorage } from 'node:async_hooks'
import { setMaxListeners } from 'node:events'
import { isMainThread } from 'node:worker_threads'

/** How often it is looked whether somebody wants to stop (ms). */
const glance = 200

/** Where what is being done finds its signal. */
interface Scope {
  getStore(): AbortSignal | undefined
  run<T>(signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T>
}

/** For a thread that does one thing at a time. */
class OnlyScope implements Scope {
  #signal: AbortSignal | undefined

  getStore(): AbortSignal | undefined {
    return this.#signal
  }

  async run<T>(signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
    const before = this.#signal
    this.#signal = signal
    try {
      return await action()
    } finally {
      this.#signal = before
    }
  }
}

// A worker has one task at a time. Where an AsyncLocalStorage has run, each await of the thread costs 0.25 instead of 0.08 µs (Node 20).
const scope: Scope = isMainThread ? new AsyncLocalStorage<AbortSignal | undefined>() : new OnlyScope()

/**
 * Does something whose requests are broken off once `check` throws: a server that stands still keeps nobody from stopping. What the requests fail with is then
 * what `check` has thrown.
 */
export async function stoppable<T>(check: () => void, action: () => Promise<T>): Promise<T> {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  const timer = setInterval(() => {
    try {
      check()
    } catch (error) {
      clearInterval(timer)
      controller.abort(error)
    }
  }, glance)
  try {
    return await scope.run(controller.signal, action)
  } finally {
    clearInterval(timer)
  }
}

/** Does something within that which is to be done all the same: what was begun is cleaned up, or ended. */
export function regardless<T>(action: () => Promise<T>): Promise<T> {
  return scope.getStore() === undefined ? action() : scope.run(undefined, action)
}

/** Fires when what is being done is to stop. */
export function stopSignal(): AbortSignal | undefined {
  return scope.getStore()
}
