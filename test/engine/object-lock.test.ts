import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Held, type Holder } from '../../src/engine/file-lock.js'
import { lockByObject, lockObject, probeConditions } from '../../src/engine/object-lock.js'
import { openStore } from '../../src/stores/open.js'
import type { Store } from '../../src/stores/store.js'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'

const minio = await startMinio(t)
const azurite = await Azurite.start(t)

const places: Record<string, () => Promise<Store>> = {
  s3: async () => openStore({ ...(await minio.bucket()), prefix: 'some/where/' }),
  azure: async () => openStore(azurite.config((await azurite.container()).containerName, { prefix: 'some/where/' })),
}

const holderOf = (operation: string) => ({ host: 'here', pid: 1, operation, since: '2026-11-23T10:00:00Z' })
const never = (): void => {
  throw new Error('the lock was lost')
}

const lock = (store: Store, holder: Holder, ttlMs: number, onLost = never, instance = 'one') =>
  lockByObject(store, { holder, instance, ttlMs, onLost })

for (const [kind, open] of Object.entries(places)) {
  t.test(`${kind}: of any number at once one gets it, the others learn who`, async (t) => {
    const store = await open()
    t.teardown(() => store.close())
    await probeConditions(store)
    for (let round = 0; round < 5; round += 1) {
      const takings = Array.from({ length: 8 }, (_, index) =>
        lock(store, holderOf(`${index}`), 60_000, never, `${index}`),
      )
      const results = await Promise.allSettled(takings)
      const won = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
      t.equal(won.length, 1)
      const winner = results.findIndex(({ status }) => status === 'fulfilled')
      for (const result of results) {
        if (result.status === 'fulfilled') continue
        t.ok(result.reason instanceof Held)
        t.match(result.reason, { holder: { operation: `${winner}`, host: 'here' } })
      }
      await won[0]?.confirm()
      await won[0]?.release()
    }
    const names: string[] = []
    for await (const { path } of store.list('')) names.push(path)
    t.same(names, [lockObject], 'probes and clocks are gone')
  })

  t.test(`${kind}: it is renewed while it is held, and taken over once it is stale, by one of many`, async (t) => {
    const store = await open()
    t.teardown(() => store.close())
    const kept = await lock(store, holderOf('kept'), 6000)
    await sleep(9000)
    await t.rejects(lock(store, holderOf('other'), 6000), new Held(holderOf('kept')))
    await kept.release()

    let lost = 0
    const paused = await lock(pausable(store), holderOf('paused'), 6000, () => {
      lost += 1
    })
    await sleep(10_000)
    const takings = Array.from({ length: 8 }, (_, index) => lock(store, holderOf(`${index}`), 6000, never, `${index}`))
    const won = (await Promise.allSettled(takings)).flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    )
    t.equal(won.length, 1)
    await t.rejects(paused.confirm(), { code: 'LOCK_LOST' })
    t.equal(lost, 1, 'told once')
    await paused.release()
    await t.rejects(
      lock(store, holderOf('late'), 6000),
      { message: 'the lock is held' },
      'who lost it does not give it back',
    )
    await won[0]?.release()
  })

  t.test(`${kind}: what an earlier process of the same instance left is no obstacle`, async (t) => {
    const store = await open()
    t.teardown(() => store.close())
    const text = { holder: holderOf('old'), instance: 'one', nonce: 'x', free: false, turn: 1 }
    await store.writeSmall?.(lockObject, Buffer.from(JSON.stringify(text)))
    await t.rejects(lock(store, holderOf('other'), 60_000, never, 'two'), { message: 'the lock is held' })
    const own = await lock(store, holderOf('new'), 60_000)
    await t.rejects(lock(store, holderOf('again'), 60_000), { message: 'the lock is held' }, 'but not what it holds')
    await own.release()
  })

  t.test(`${kind}: a store that ignores conditions is found out`, async (t) => {
    const store = await open()
    t.teardown(() => store.close())
    const careless = withDoor(store, (path, bytes) => store.writeSmall?.(path, bytes))
    await t.rejects(probeConditions(careless), { code: 'CONFIG_INVALID', message: /ignores conditional writes/ })
  })
}

/** The same store for one whose renewals do not get through, as those of a process that stands still. */
function pausable(store: Store): Store {
  let writes = 0
  return withDoor(store, (path, bytes, options) => {
    writes += 1
    if (writes > 1 && path === lockObject) throw new Error('standing still')
    return store.writeSmall?.(path, bytes, options)
  })
}

function withDoor(store: Store, writeSmall: (...args: Parameters<NonNullable<Store['writeSmall']>>) => unknown): Store {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'writeSmall') return async (...args: Parameters<typeof writeSmall>) => writeSmall(...args)
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
