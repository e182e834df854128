import { decodeKey } from './s3-key.js'
import { elementText } from './xml.js'

/** An object as a listing shows it. */
export interface ListedObject {
  /** Whole key. */
  readonly key: string
  /** Bytes. */
  readonly size: number
  readonly mtimeNs: bigint
  /** In quotes, as conditions take it; not every service tells it. */
  readonly etag: string | undefined
}

export interface Page {
  readonly objects: readonly ListedObject[]
  /** Whole keys ending in `/`; only where one level was asked for. */
  readonly folders: readonly string[]
  /** Where the next page begins; undefined after the last one. */
  readonly next: string | undefined
}

const item = /<(Contents|CommonPrefixes)>(.*?)<\/\1>/gs

/**
 * One page of `ListObjectsV2`. By expressions, as all text in it is escaped and what is nested in an object (its owner, its checksums) has no names of these: 4 µs of CPU
 * an object, where the SDK's command took 30 to 40 and, for a thousand objects, that long without a turn of the event loop.
 * Null if the page is not whole, or does not say where the next one begins.
 */
export function parsePage(xml: string): Page | null {
  if (!xml.trimEnd().endsWith('</ListBucketResult>')) return null
  const next =
    elementText(xml, 'IsTruncated') === 'true' ? (elementText(xml, 'NextContinuationToken') ?? '') : undefined
  if (next === '') return null
  // Some services leave names as they are, whatever they were asked for.
  const decode = elementText(xml, 'EncodingType') === 'url' ? decodeKey : (key: string) => key
  const objects: ListedObject[] = []
  const folders: string[] = []
  for (const [, kind, inner = ''] of xml.matchAll(item)) {
    if (kind === 'Contents') objects.push(objectOf(inner, decode))
    else folders.push(decode(elementText(inner, 'Prefix') ?? ''))
  }
  return { objects, folders, next }
}

function objectOf(inner: string, decode: (key: string) => string): ListedObject {
  return {
    key: decode(elementText(inner, 'Key') ?? ''),
    size: Number(elementText(inner, 'Size') ?? 0),
    mtimeNs: BigInt(Date.parse(elementText(inner, 'LastModified') ?? '') || 0) * 1_000_000n,
    etag: elementText(inner, 'ETag'),
  }
}
