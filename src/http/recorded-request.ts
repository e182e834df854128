import { z } from 'zod'
import type { JournalEntry } from '../engine/journal.js'
import type { RetentionPolicy } from '../engine/retention.js'
import { createSchema, restoreSchema, verifySchema } from './requests.js'
import { pruneSchema, rulesBody } from './retention.js'

/** The request of an operation on record. */
export const recordedRequest = z
  .strictObject({ ...createSchema.shape, ...restoreSchema.shape, ...verifySchema.shape, ...pruneSchema.shape })
  .omit({ confirm: true, dry_run: true })
  .meta({
    id: 'RecordedRequest',
    description: "What was asked for, in the words of the request's body, defaults filled in.",
    examples: [{ include_metadata: true, databases: ['metrics'] }],
  })

/** What was asked for, in the words of the API: `includeMetadata` is `include_metadata`, a policy's `daily` is `keep_daily`. */
export function recordedRequestBody(request: JournalEntry['request']): Record<string, unknown> {
  const { policy, ...fields } = request as { policy?: RetentionPolicy }
  const named = Object.entries(fields).map(([key, value]) => [
    key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value,
  ])
  return { ...Object.fromEntries(named), ...(policy && policyBody(policy)) }
}

function policyBody(policy: RetentionPolicy): Record<string, unknown> {
  const rules = Object.entries(rulesBody(policy)).filter(([, count]) => count > 0)
  return { ...Object.fromEntries(rules), timezone: policy.timezone }
}
