import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { LocalStore } from '../../src/stores/local.js'
import { randomFrom } from '../campaigns/random.js'
import { collect, list, put, testStore } from '../stores/contract.js'
import { hashTree } from '../support/tree.js'
import { faulty } from './faulty-store.js'
import { type FaultPlan, type Planned, planFrom, planOf } from './plan.js'

function open(t: Test, plan: FaultPlan) {
  const root = t.testdir({ a: 'content of a', b: 'content of b' })
  return { root, store: faulty(new LocalStore(root), plan) }
}

const eio = { kind: 'error', error: 'EIO' } as const

testStore(t, async (t) => {
  const root = `${t.testdir({})}/root`
  mkdirSync(root)
  return {
    store: faulty(new LocalStore(root), planOf([])),
    readBack: async (path) => readFile(`${root}/${path}`).catch(() => null),
    names: async () => Object.keys(hashTree(root)).filter((path) => path !== '' && !path.endsWith('/')),
  }
})

t.test('without a fault it is the store that it wraps', async (t) => {
  const { store, root } = open(t, planOf([]))
  t.equal(store.url, root)
  await put(store, 'c', 'content of c')
  t.equal((await store.copy?.(store, 'c', 'd', {}))?.size, 12)
  await store.rename?.('d', 'e')
  await store.inspectFolder?.('')
  await store.sync?.()
  t.ok(((await store.space?.())?.bytes ?? 0) > 0)
  t.equal((await store.readSmall?.('e'))?.bytes.toString(), 'content of c')
  t.equal((await collect(await store.read('e', { start: 8 }))).toString(), 'of c')
  t.same(store.listLevel?.([''])?.length, 4)
  await store.remove(['c', 'e'])
  t.same((await list(store, '')).map(({ path }) => path).sort(), ['a', 'b'])
  await store.close()
})

t.test('the nth call of any method, and what the system would say', async (t) => {
  const errors = { ENOSPC: 'STORE_FULL', EIO: 'STORE_IO', EACCES: 'STORE_DENIED', EMFILE: 'INTERNAL' } as const
  for (const [error, code] of Object.entries(errors) as [keyof typeof errors, string][]) {
    const { store } = open(t, planOf([{ method: 'stat', call: 2, fault: { kind: 'error', error } }]))
    await store.stat('a')
    await t.rejects(store.stat('a'), { code, message: /^cannot stat "a" at / })
    await store.stat('a')
  }
  const calls: [Planned['method'], (store: ReturnType<typeof faulty>) => unknown][] = [
    ['list', (store) => list(store, '')],
    ['listLevel', async (store) => store.listLevel?.([''])],
    ['read', (store) => store.read('a')],
    ['readSmall', (store) => store.readSmall?.('a')],
    ['write', (store) => put(store, 'c', 'x')],
    ['writeSmall', (store) => store.writeSmall?.('c', Buffer.from('x'))],
    ['remove', (store) => store.remove(['a'])],
    ['copy', (store) => store.copy?.(store, 'a', 'c', {})],
    ['rename', (store) => store.rename?.('a', 'c')],
    ['sync', (store) => store.sync?.()],
    ['inspectFolder', (store) => store.inspectFolder?.('')],
    ['space', (store) => store.space?.()],
    ['close', (store) => store.close()],
  ]
  for (const [method, call] of calls) {
    const plan = planOf([{ method, fault: eio, call: 1 }])
    const { store, root } = open(t, plan)
    await t.rejects(async () => void (await call(store)), { code: 'STORE_IO' }, method)
    t.same(readdirSync(root), ['a', 'b'], `${method} did nothing`)
    t.match(plan.injected, [{ method, fault: eio }])
  }
})

t.test('a code of our own, a path, and for good', async (t) => {
  const error = { kind: 'error', error: 'STORE_UNREACHABLE' } as const
  const { store } = open(t, planOf([{ method: 'stat', path: /^b$/, call: 2, lasting: true, fault: error }]))
  for (let call = 0; call < 3; call += 1) await store.stat('a')
  await store.stat('b')
  for (let call = 0; call < 2; call += 1) await t.rejects(store.stat('b'), { code: 'STORE_UNREACHABLE' })
})

t.test('an answer that is lost: it is done all the same', async (t) => {
  const fault = { ...eio, answerLost: true } as const
  const { store, root } = open(t, planOf([{ method: 'writeSmall', fault }]))
  await t.rejects(async () => void (await store.writeSmall?.('c', Buffer.from('x'))), { code: 'STORE_IO' })
  t.equal(readFileSync(`${root}/c`, 'utf8'), 'x')
})

t.test('at a byte, or an entry: an error, a bit, an early end', async (t) => {
  const reading = async (fault: Planned['fault'], method: 'read' | 'readSmall'): Promise<string> => {
    const { store } = open(t, planOf([{ method, at: 8, fault }]))
    const bytes = method === 'read' ? await collect(await store.read('a')) : (await store.readSmall?.('a'))?.bytes
    return String(bytes)
  }
  for (const method of ['read', 'readSmall'] as const) {
    t.equal(await reading({ kind: 'flip' }, method), 'content nf a')
    t.equal(await reading({ kind: 'short' }, method), 'content ')
  }
  await t.rejects(reading(eio, 'read'), { code: 'STORE_IO', message: /cannot read "a"/ })

  const writing = async (fault: Planned['fault'], method: 'write' | 'writeSmall'): Promise<string | undefined> => {
    const { store, root } = open(t, planOf([{ method, at: 8, fault }]))
    const bytes = Buffer.from('content of c')
    if (method === 'write') await store.write('c', Readable.from([bytes]), { size: bytes.length })
    else await store.writeSmall?.('c', bytes)
    t.equal(bytes.toString(), 'content of c', 'they are the caller’s')
    return readdirSync(root).includes('c') ? readFileSync(`${root}/c`, 'utf8') : undefined
  }
  for (const method of ['write', 'writeSmall'] as const) {
    t.equal(await writing({ kind: 'flip' }, method), 'content nf c')
    t.equal(await writing({ kind: 'short' }, method), 'content ')
  }
  const { store, root } = open(t, planOf([{ method: 'write', at: 3, fault: { kind: 'error', error: 'ENOSPC' } }]))
  await t.rejects(put(store, 'c', 'content of c'), { code: 'STORE_FULL' })
  t.same(readdirSync(root), ['a', 'b'])
  t.equal(await store.copy?.(store, 'a', 'c', {}), undefined, 'bytes have to come by')

  const listed = open(t, planOf([{ method: 'list', at: 1, fault: eio }])).store
  const seen: string[] = []
  await t.rejects(
    async () => {
      for await (const { path } of listed.list('')) seen.push(path)
    },
    { code: 'STORE_IO' },
  )
  t.equal(seen.length, 1)
})

t.test('late, and not at all until it is released', async (t) => {
  const plan = planOf([
    { method: 'stat', fault: { kind: 'stall' } },
    { method: 'read', at: 4, fault: { kind: 'stall' } },
    { method: 'sync', fault: { kind: 'delay', ms: 60 } },
  ])
  const { store } = open(t, plan)
  const started = performance.now()
  await store.sync?.()
  t.ok(performance.now() - started > 50)
  let answered = 0
  const answers = [store.stat('a'), store.read('a').then(collect)].map((answer) => answer.then(() => (answered += 1)))
  await store.sync?.()
  t.equal(answered, 0)
  plan.release()
  await Promise.all(answers)
  t.equal(answered, 2)
})

t.test('by a seed: the same faults again', async (t) => {
  const faultsOf = async (seed: number): Promise<string[]> => {
    const plan = planFrom(randomFrom(seed), 0.3, [{ method: 'stat', fault: eio }])
    const { store } = open(t, plan)
    const answers: string[] = []
    for (let call = 0; call < 50; call += 1) {
      answers.push(
        await store.stat('a').then(
          () => '.',
          () => 'x',
        ),
      )
    }
    t.equal(plan.injected.length, answers.filter((answer) => answer === 'x').length)
    return answers
  }
  t.same(await faultsOf(7), await faultsOf(7))
  t.notSame(await faultsOf(7), await faultsOf(8))
})
