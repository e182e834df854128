import { AsyncLocalStorage } from 'node:async_hooks'
import { setMaxListeners } from 'node:events'

/** How often it is looked whether somebody wants to stop (ms). */
const glance = 200

const scope = new AsyncLocalStorage<AbortSignal | undefined>()

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
