import { type ErrorCode, retryCodes, type ServiceError } from '../errors.js'
import { observeRetries } from './retry.js'
import type { Store } from './store.js'

/** Upper bounds of the classes of times, in seconds; what takes longer has a class of its own. */
export const latencyBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const
const actions = ['stat', 'read', 'write', 'copy', 'remove'] as const
export type StoreAction = (typeof actions)[number]

const classes = latencyBounds.length + 1
/** Its classes, then the sum of its times in microseconds. */
const cellsPerAction = classes + 1
const cellsPerStore = retryCodes.length + actions.length * cellsPerAction

export interface RetryCount {
  readonly store: string
  readonly code: ErrorCode
  readonly count: number
}

export interface Latency {
  readonly store: string
  readonly action: StoreAction
  /** How many fell in each class, that beyond all bounds last. */
  readonly counts: readonly number[]
  /** All of them together, in seconds. */
  readonly seconds: number
}

/** How long each store takes, and how often it is tried again: counted by every thread in shared memory, read by whoever wants to know. */
export class StoreMeters {
  /** Goes to the threads. */
  readonly buffer: SharedArrayBuffer
  readonly #names: readonly string[]
  readonly #cells: BigInt64Array

  /** @param names of the stores, in the same order in each thread; others are not counted */
  constructor(names: readonly string[], buffer?: SharedArrayBuffer) {
    this.#names = names
    this.buffer = buffer ?? new SharedArrayBuffer(names.length * cellsPerStore * BigInt64Array.BYTES_PER_ELEMENT)
    this.#cells = new BigInt64Array(this.buffer)
  }

  /**
   * Counts what is done with this store from now on. In place: a disk looks into another's private fields when it copies from it, which a wrapper has not.
   *
   * @returns the store
   */
  meter<T extends Store>(name: string, store: T): T {
    const timed =
      <A extends unknown[], R>(action: StoreAction, door: (...given: A) => Promise<R>) =>
      async (...given: A): Promise<R> => {
        const began = performance.now()
        try {
          return await door.apply(store, given)
        } finally {
          this.#time(name, action, performance.now() - began)
        }
      }
    const { stat, read, write, remove, readSmall, writeSmall, copy, copyNow, duplicate, close } = store
    const timedNow =
      <A extends unknown[], R>(action: StoreAction, door: (...given: A) => R) =>
      (...given: A): R => {
        const began = performance.now()
        try {
          return door.apply(store, given)
        } finally {
          this.#time(name, action, performance.now() - began)
        }
      }
    const stop = observeRetries((failure) => this.#retried(name, store.url, failure))
    return Object.assign(store, {
      stat: timed('stat', stat),
      read: timed('read', read),
      write: timed('write', write),
      remove: timed('remove', remove),
      ...(readSmall && { readSmall: timed('read', readSmall) }),
      ...(writeSmall && { writeSmall: timed('write', writeSmall) }),
      ...(copy && { copy: timed('copy', copy) }),
      ...(copyNow && { copyNow: timedNow('copy', copyNow) }),
      ...(duplicate && { duplicate: timed('copy', duplicate) }),
      close: async () => {
        stop()
        await close.call(store)
      },
    })
  }

  retries(): RetryCount[] {
    return this.#names.flatMap((store, index) =>
      retryCodes.map((code, at) => ({ store, code, count: this.#read(index * cellsPerStore + at) })),
    )
  }

  latencies(): Latency[] {
    return this.#names.flatMap((store, index) =>
      actions.map((action, at) => {
        const first = index * cellsPerStore + retryCodes.length + at * cellsPerAction
        const counts = Array.from({ length: classes }, (_, offset) => this.#read(first + offset))
        return { store, action, counts, seconds: this.#read(first + classes) / 1e6 }
      }),
    )
  }

  #retried(name: string, url: string, { code, detail }: ServiceError): void {
    const at = retryCodes.indexOf(code)
    if (detail.store === url && at >= 0) this.#add(name, at, 1)
  }

  #time(name: string, action: StoreAction, ms: number): void {
    const first = retryCodes.length + actions.indexOf(action) * cellsPerAction
    const found = latencyBounds.findIndex((bound) => ms / 1000 <= bound)
    this.#add(name, first + (found < 0 ? latencyBounds.length : found), 1)
    this.#add(name, first + classes, Math.round(ms * 1000))
  }

  #add(name: string, cell: number, count: number): void {
    const index = this.#names.indexOf(name)
    if (index >= 0) Atomics.add(this.#cells, index * cellsPerStore + cell, BigInt(count))
  }

  #read(cell: number): number {
    return Number(Atomics.load(this.#cells, cell))
  }
}
