import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { ServiceError } from '../../src/errors.js'
import { localFailure, type Verb } from '../../src/stores/local-failure.js'
import type { Store } from '../../src/stores/store.js'
import { type Fault, type FaultPlan, type Method, type Planned, type SystemError, systemErrors } from './plan.js'

const verbs: Partial<Record<Method, Verb>> = {
  list: 'list',
  listLevel: 'list',
  read: 'read',
  readSmall: 'read',
  write: 'write',
  writeSmall: 'write',
  copy: 'write',
  duplicate: 'write',
  remove: 'remove',
  abortUpload: 'remove',
  rename: 'rename',
  sync: 'sync',
}

/** The stores behind the faulty ones: a copy from one local disk to another wants to know both. */
const inners = new WeakMap<Store, { readonly inner: Store; readonly plan: FaultPlan }>()

/**
 * A store that does what `inner` does, but for what the plan says. It has the doors that `inner` has; only `copy`, by which no byte comes by here, copies
 * nothing where a plan of the two is about bytes: then read and write are used.
 */
export function faulty(inner: Store, plan: FaultPlan): Store {
  const { url } = inner
  const call = async <T>(method: Method, path: string, action: (planned?: Planned) => Promise<T>): Promise<T> => {
    const planned = plan.next(method, path)
    if (!planned || planned.at !== undefined) return action(planned)
    const { fault } = planned
    const lost = fault.kind === 'error' && fault.answerLost
    if (!lost) await strike(fault, plan, method, path, url)
    const result = await action(planned)
    if (lost) await strike(fault, plan, method, path, url)
    return result
  }
  const bytesOf = (source: Readable, planned: Planned | undefined, method: Method, path: string): Readable =>
    planned && isAboutBytes(planned)
      ? Readable.from(
          changeBytes(source, planned, () => strike(planned.fault, plan, method, path, url)),
          {
            objectMode: false,
          },
        )
      : source
  const store: Store = {
    url,
    ...(inner.patience && { patience: inner.patience }),
    list: (prefix, options) => listing(prefix, options),
    stat: (path) => call('stat', path, () => inner.stat(path)),
    read: (path, options) =>
      call('read', path, async (planned) => bytesOf(await inner.read(path, options), planned, 'read', path)),
    write: (path, source, options) =>
      call('write', path, (planned) => inner.write(path, bytesOf(source, planned, 'write', path), options)).catch(
        (error: unknown) => {
          // As every store does: who pipes into it waits for that.
          source.destroy()
          throw error
        },
      ),
    remove: async (paths) => {
      const all = [...paths]
      return call('remove', all[0] ?? '', () => inner.remove(all))
    },
    close: () => call('close', '', () => inner.close()),
    ...(inner.listLevel && {
      listLevel: (folders, options) => {
        const fault = plan.next('listLevel', folders[0] ?? '')?.fault
        if (fault?.kind === 'error') throw failure(fault.error, 'listLevel', folders[0] ?? '', url)
        return inner.listLevel?.(folders, options) ?? []
      },
    }),
    ...(inner.readSmall && {
      readSmall: (path, options) =>
        call('readSmall', path, async (planned) => {
          const content = await required(inner.readSmall?.(path, options))
          return planned ? { ...content, bytes: changed(content.bytes, planned) } : content
        }),
    }),
    ...(inner.writeSmall && {
      writeSmall: (path, bytes, options) =>
        call('writeSmall', path, (planned) =>
          required(inner.writeSmall?.(path, planned ? changed(Buffer.from(bytes), planned) : bytes, options)),
        ),
    }),
    ...(inner.copy && {
      copy: async (from, path, to, options) => {
        const source = inners.get(from)
        if (plan.touchesBytes || source?.plan.touchesBytes) return undefined
        return call('copy', to, async () => inner.copy?.(source?.inner ?? from, path, to, options))
      },
    }),
    ...(inner.duplicate && {
      duplicate: (path, to, recorded, options) =>
        call('duplicate', to, async () => inner.duplicate?.(path, to, recorded, options)),
    }),
    ...(inner.abortUpload && {
      abortUpload: (upload) => call('abortUpload', upload.path, async () => inner.abortUpload?.(upload)),
    }),
    ...(inner.sync && { sync: (options) => call('sync', '', async () => inner.sync?.(options)) }),
    ...(inner.rename && { rename: (from, to) => call('rename', from, async () => inner.rename?.(from, to)) }),
    ...(inner.inspectFolder && {
      inspectFolder: (folder) => call('inspectFolder', folder, async () => inner.inspectFolder?.(folder)),
    }),
    ...(inner.space && { space: () => call('space', '', () => required(inner.space?.())) }),
  }
  inners.set(store, { inner, plan })
  return store

  async function* listing(...[prefix, options]: Parameters<Store['list']>): ReturnType<Store['list']> {
    const path = typeof prefix === 'string' ? prefix : (prefix[0] ?? '')
    const planned = plan.next('list', path)
    const at = planned?.at ?? 0
    let entries = 0
    for await (const file of inner.list(prefix, options)) {
      if (planned && entries === at) await strike(planned.fault, plan, 'list', path, url)
      entries += 1
      yield file
    }
    if (planned && entries <= at) await strike(planned.fault, plan, 'list', path, url)
  }
}

/** What is not about bytes: an error, a wait. */
async function strike(fault: Fault, plan: FaultPlan, method: Method, path: string, url: string): Promise<void> {
  if (fault.kind === 'delay') await sleep(fault.ms)
  else if (fault.kind === 'stall') await plan.released
  else if (fault.kind === 'error') throw failure(fault.error, method, path, url)
}

/** As a real store says it: what the system calls by its name, in local disk's words. */
function failure(error: (Fault & { kind: 'error' })['error'], method: Method, path: string, url: string): ServiceError {
  const verb = verbs[method] ?? 'stat'
  if (isSystemError(error)) {
    return localFailure(Object.assign(new Error(`${error}: injected`), { code: error }), verb, path, url)
  }
  return new ServiceError(error, `cannot ${verb} "${path}" at ${url}: injected`, { verb, path })
}

function isSystemError(error: string): error is SystemError {
  return (systemErrors as readonly string[]).includes(error)
}

function isAboutBytes({ fault, at }: Planned): boolean {
  return at !== undefined || fault.kind === 'short' || fault.kind === 'flip'
}

/** The bytes up to the place, then what happens there, then the others if there are any to come. */
async function* changeBytes(
  source: Readable,
  { fault, at = 0 }: Planned,
  strikeThere: () => Promise<void>,
): AsyncGenerator<Buffer, void, undefined> {
  let seen = 0
  for await (const chunk of source) {
    const bytes = chunk as Buffer
    const here = at - seen
    seen += bytes.length
    if (here < 0 || here >= bytes.length) {
      yield bytes
      continue
    }
    if (here > 0) yield bytes.subarray(0, here)
    if (fault.kind === 'short') return
    await strikeThere()
    yield fault.kind === 'flip' ? flipped(bytes.subarray(here)) : bytes.subarray(here)
  }
}

function changed(bytes: Buffer, { fault, at = 0 }: Planned): Buffer {
  if (at >= bytes.length) return bytes
  if (fault.kind === 'short') return bytes.subarray(0, at)
  if (fault.kind !== 'flip') return bytes
  return Buffer.concat([bytes.subarray(0, at), flipped(bytes.subarray(at))])
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy[0] = (copy[0] ?? 0) ^ 1
  return copy
}

/** The wrapper has a door only where the store has it. */
async function required<T>(answer: Promise<T> | undefined): Promise<T> {
  if (!answer) throw new Error('the store has no such door')
  return answer
}
