import { statfsSync } from 'node:fs'
import { isFull, ServiceError } from '../errors.js'

/** Stores say themselves what they failed with. What comes bare is about this service's own records: where no room is left, that is said. */
export function stateFailure(error: unknown, statePath: string): unknown {
  if (error instanceof ServiceError || !isFull(error)) return error
  const { bavail, bsize } = statfsSync(statePath)
  const why = `no space left on the device: ${bavail * bsize} bytes are free`
  return new ServiceError('STORE_FULL', `cannot write to ${statePath} (backup.state_path): ${why}`, { cause: error })
}
