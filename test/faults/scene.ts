import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import type { Test } from 'tap'
import type { EngineSettings, Run } from '../../src/engine/run.js'
import { openStore, type StoreConfig } from '../../src/stores/open.js'
import type { Patience } from '../../src/stores/store.js'
import { openScene, poolHere, type Scene } from '../engine/scene.js'
import { faulty } from './faulty-store.js'
import { type FaultPlan, planOf } from './plan.js'

/** `storage`, or a target's name in the pool. */
type Place = 'storage' | 'target:local'

export interface FaultScene extends Scene {
  /** From now on this goes wrong at a place; what was planned there before is forgotten. */
  plan(place: Place, plan: FaultPlan): void
  /** Nothing goes wrong any more. */
  heal(): void
  /** One operation in a run of its own, which is closed afterwards; answers what it threw, or null. */
  attempt(run: Run, action: (run: Run) => Promise<unknown>): Promise<unknown>
  /** Empties the target. */
  clear(): void
}

/**
 * The engine over stores of this machine that fail as planned: those of the main thread and those of the threads' tasks, which run here, in the same thread,
 * through the same entry. `threads.test.ts` shows that real threads meet the same faults.
 */
export function openFaultScene(
  t: Test,
  { settings, patience }: { settings?: Partial<EngineSettings>; patience?: Patience } = {},
): FaultScene {
  const plans: Record<string, FaultPlan> = {}
  const wrap: NonNullable<Parameters<typeof openScene>[3]>['wrap'] = (store, name) =>
    faulty(patience ? Object.assign(store, { patience }) : store, through(plans, name))
  const scene = openScene(t, settings, undefined, {
    wrap,
    pool: (data) => {
      const nameOf = (config: StoreConfig): string =>
        Object.entries(data.stores).find(([, candidate]) => candidate === config)?.[0] ?? ''
      return poolHere(data, async (config) => wrap(await openStore(config), nameOf(config)))
    },
  })
  const { target } = scene
  return {
    ...scene,
    plan: (place, plan) => {
      plans[place] = plan
    },
    heal: () => {
      for (const place of Object.keys(plans)) delete plans[place]
    },
    attempt: async (run, action) => {
      try {
        await action(run)
        return null
      } catch (error) {
        return error
      } finally {
        run.inventory.close()
      }
    },
    clear: () => {
      for (const name of readdirSync(target)) rmSync(`${target}/${name}`, { recursive: true })
      mkdirSync(target, { recursive: true })
    },
  }
}

const nothing = planOf([])

/** Whatever is planned when a call comes. */
function through(plans: Record<string, FaultPlan>, place: string): FaultPlan {
  const now = (): FaultPlan => plans[place] ?? nothing
  return {
    next: (method, path) => now().next(method, path),
    get injected() {
      return now().injected
    },
    get touchesBytes() {
      return now().touchesBytes
    },
    get released() {
      return now().released
    },
    release: () => now().release(),
  }
}
