/** How an operation ended, for whoever is to be told. */
export interface News {
  /** `backup.completed`, `prune.failed`, … */
  readonly type: `${string}.${'completed' | 'gaps' | 'failed'}`
  /** When it ended (RFC 3339). */
  readonly at: string
  /** The operation as the REST API answers it. */
  readonly operation: Readonly<Record<string, unknown>>
}

/** What there is to be told of an operation; null of one that goes on later: how it ends is not known yet. */
export function newsOf(operation: Readonly<Record<string, unknown>>): News | null {
  const { operation: kind, outcome, completed_at: at, resumable } = operation
  if (resumable === true) return null
  const event = outcome === 'completed' || outcome === 'gaps' ? outcome : 'failed'
  return { type: `${String(kind)}.${event}`, at: String(at ?? new Date().toISOString()), operation }
}
