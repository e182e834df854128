import type { ErrorCode } from '../../src/errors.js'
import type { Store } from '../../src/stores/store.js'

export type Method = Exclude<keyof Store, 'url' | 'patience'>

/** What the system says when a disk is full, a sector is bad, rights are missing, or this process has too many files open. */
export const systemErrors = ['ENOSPC', 'EIO', 'EACCES', 'EMFILE'] as const
export type SystemError = (typeof systemErrors)[number]

export type Fault =
  /** `answerLost`: it is done all the same, and only the answer does not arrive. */
  | { readonly kind: 'error'; readonly error: SystemError | ErrorCode; readonly answerLost?: true }
  | { readonly kind: 'delay'; readonly ms: number }
  /** No answer, and no byte more, until the plan's `release` is called. */
  | { readonly kind: 'stall' }
  /** The bytes end early, and nobody says so. */
  | { readonly kind: 'short' }
  /** One bit is another. */
  | { readonly kind: 'flip' }

export interface Planned {
  readonly method: Method
  readonly fault: Fault
  /** Which call of the method, the first is 1; any, where it is absent. */
  readonly call?: number
  /** Every later call too. */
  readonly lasting?: true
  /** Only calls for paths like this. */
  readonly path?: RegExp
  /** Not at the call, but at this byte of what it moves, or this entry of what it lists; the first is 0. */
  readonly at?: number
}

/** A fault that came to pass. */
export interface Injected {
  readonly method: Method
  readonly path: string
  readonly fault: Fault
}

/** Decides at each call what goes wrong; several stores may share one. */
export interface FaultPlan {
  next(method: Method, path: string): Planned | undefined
  readonly injected: Injected[]
  /** Do bytes that are moved change, so that they have to come by? */
  readonly touchesBytes: boolean
  readonly released: Promise<void>
  /** Ends every stall. */
  release(): void
}

/** By a list: the first entry that fits a call. Calls are counted for each entry, among those that its path fits. */
export function planOf(planned: readonly Planned[]): FaultPlan {
  const counts = planned.map(() => 0)
  return decide((method, path) => {
    let found: Planned | undefined
    for (const [index, entry] of planned.entries()) {
      if (entry.method !== method || entry.path?.test(path) === false) continue
      counts[index] = (counts[index] ?? 0) + 1
      const { call = counts[index], lasting } = entry
      if (counts[index] === call || (lasting && counts[index] > call)) found ??= entry
    }
    return found
  }, planned.some(movesBytes))
}

/** By chance: each call has a fault of `among` with this probability. */
export function planFrom(random: () => number, probability: number, among: readonly Planned[]): FaultPlan {
  return decide((method) => {
    if (random() >= probability) return undefined
    const fitting = among.filter((entry) => entry.method === method)
    return fitting[Math.floor(random() * fitting.length)]
  }, among.some(movesBytes))
}

function movesBytes({ method, fault, at }: Planned): boolean {
  return at !== undefined || fault.kind === 'short' || fault.kind === 'flip' || method === 'read' || method === 'write'
}

function decide(next: FaultPlan['next'], touchesBytes: boolean): FaultPlan {
  const { promise, resolve } = withResolvers()
  const injected: Injected[] = []
  return {
    next: (method, path) => {
      const found = next(method, path)
      if (found) injected.push({ method, path, fault: found.fault })
      return found
    },
    injected,
    touchesBytes,
    released: promise,
    release: resolve,
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
