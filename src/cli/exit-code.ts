import { type ErrorCode, isServiceError } from '../errors.js'

/** What a script learns from a command's end. */
export const exitCodes = { done: 0, failed: 1, usage: 2, busy: 3, gaps: 4 } as const

const ofErrors: Partial<Record<ErrorCode, number>> = {
  CONFIG_INVALID: exitCodes.usage,
  REQUEST_INVALID: exitCodes.usage,
  BUSY: exitCodes.busy,
}

export function exitCodeOf(error: unknown): number {
  return isServiceError(error) ? (ofErrors[error.code] ?? exitCodes.failed) : exitCodes.failed
}

/** @param outcome as in `/status`. */
export function exitCodeOfOutcome(outcome: unknown): number {
  if (outcome === 'completed') return exitCodes.done
  return outcome === 'gaps' ? exitCodes.gaps : exitCodes.failed
}
