import { parquetMetadata } from 'hyparquet'
import { isServiceError, ServiceError } from '../errors.js'

/** At both ends of a Parquet file. */
const magic = 'PAR1'
/** After the metadata: their length (4 bytes, little-endian) and the magic. */
const trailerSize = 8
/** Bytes. Arc's footers have some thousand; what is larger is not read into memory. */
const largestFooter = 64 << 20

/**
 * Bytes that the footer takes at the end of a Parquet file, with its length and the magic.
 *
 * @param tail the last bytes of the file, at least eight where it has so many
 * @throws INTEGRITY where it has none
 */
export function footerSize(tail: Buffer, size: number): number {
  if (size < trailerSize + magic.length) throw flaw(`${size} bytes are less than any has`)
  const end = tail.toString('latin1', tail.length - magic.length)
  if (end !== magic) throw flaw(`it ends in ${JSON.stringify(end)}, not in ${magic}`)
  const length = tail.readUInt32LE(tail.length - trailerSize) + trailerSize
  if (length > size - magic.length) throw flaw(`its footer would have ${length} bytes, the file has ${size}`)
  if (length > largestFooter) throw flaw(`its footer would have ${length} bytes`)
  return length
}

/**
 * Can this be read as a Parquet file: magic at both ends, metadata that parse, and column chunks that lie between them?
 *
 * @param head the first bytes, at least four
 * @param footer the last `footerSize` bytes
 * @throws INTEGRITY
 */
export function checkParquet(head: Buffer, footer: Buffer, size: number): void {
  const start = head.toString('latin1', 0, magic.length)
  if (start !== magic) throw flaw(`it begins with ${JSON.stringify(start)}, not with ${magic}`)
  try {
    lookInto(footer, size)
  } catch (error) {
    // In a damaged footer anything may stand in the place of anything.
    if (isServiceError(error)) throw error
    throw flaw(`its footer can't be read: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}

function lookInto(footer: Buffer, size: number): void {
  const { num_rows: rows, row_groups: groups } = parquetMetadata(footer, { geoparquet: false })
  const counted = groups.reduce((sum, group) => sum + group.num_rows, 0n)
  if (counted !== rows) throw flaw(`its row groups have ${counted} rows, its footer says ${rows}`)
  const end = BigInt(size - footer.length)
  for (const { meta_data: chunk } of groups.flatMap(({ columns }) => columns)) {
    if (!chunk) continue
    const from = chunk.dictionary_page_offset ?? chunk.data_page_offset
    if (from < BigInt(magic.length) || from + chunk.total_compressed_size > end)
      throw flaw(`its column ${chunk.path_in_schema.join('.')} would lie outside of its data`)
  }
}

function flaw(why: string, cause?: unknown): ServiceError {
  return new ServiceError('INTEGRITY', `it is no sound Parquet file: ${why}`, { cause })
}
