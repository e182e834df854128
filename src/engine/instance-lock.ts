import { hostname } from 'node:os'
import { ServiceError } from '../errors.js'
import { Held, lockFile } from './file-lock.js'

export interface InstanceLock {
  release(): void
}

/**
 * One service for a `state_path`.
 *
 * @throws BUSY naming the holder, with `detail.holder`.
 */
export function lockState(statePath: string): InstanceLock {
  const holder = { host: hostname(), pid: process.pid, operation: 'service', since: new Date().toISOString() }
  try {
    return lockFile(`${statePath}/lock.db`, holder)
  } catch (error) {
    if (!(error instanceof Held)) {
      const why = error instanceof Error ? error.message : String(error)
      throw new ServiceError('STORE_DENIED', `cannot use backup.state_path ${statePath}: ${why}`, { cause: error })
    }
    const { holder } = error
    const who = holder ? `process ${holder.pid} on ${holder.host} since ${holder.since}` : 'another process'
    throw new ServiceError('BUSY', `another arc-backup uses backup.state_path ${statePath}: ${who}`, { holder })
  }
}
