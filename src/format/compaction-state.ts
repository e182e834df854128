/** One of Arc's compactions that is under way, or was when Arc stopped. */
export interface CompactionJob {
  /** Storage path of the merged file. */
  readonly output: string
  /** Bytes that the output has once it is whole. */
  readonly outputSize: number
  /** Storage paths of the files that the output stands for. */
  readonly inputs: readonly string[]
}

/** Arc selects by this ending too: what it could not use it renames to `.json.quarantined`. */
export function isCompactionState(path: string): boolean {
  return path.startsWith('_compaction_state/') && path.endsWith('.json')
}

/** The names that Arc gives to merged files: no other file of its own ends so. */
export function isCompactionOutput(path: string): boolean {
  return path.endsWith('_compacted.parquet') || path.endsWith('_daily.parquet')
}

/** The job that a state file tells of; null for what is none: Arc itself throws such a file away. */
export function readCompactionState(text: string): CompactionJob | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { output_path: output, output_size: outputSize, input_files: inputs } = value as Record<string, unknown>
  if (typeof output !== 'string' || typeof outputSize !== 'number' || !Array.isArray(inputs)) return null
  // An output among its own inputs would have a backup drop the very rows that it is to keep.
  return { output, outputSize, inputs: inputs.filter((path) => typeof path === 'string' && path !== output) }
}
