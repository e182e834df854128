import { elementText, unescapeXml } from './xml.js'

/** A blob as a listing shows it. */
export interface ListedBlob {
  /** Full name. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  readonly mtimeNs: bigint
  /** In quotes, as conditions take it. */
  readonly etag: string
  /** Is it no blob of its own but stands for a folder: a marker, or a folder of a data lake? */
  readonly isFolder: boolean
}

export interface Page {
  readonly blobs: readonly ListedBlob[]
  /** Full names ending in `/`; only where one level was asked for. */
  readonly folders: readonly string[]
  /** Where the next page begins; '' after the last one. */
  readonly next: string
}

const item = /<(Blob|BlobPrefix)><Name( Encoded="true")?>([^<]*)<\/Name>(.*?)<\/\1>/gs

/**
 * One page of "List Blobs". By expressions, as all text in it is escaped and every element but a blob's properties and metadata is flat: 3 µs of CPU a
 * blob, where the SDK's page took 90 and, for 5000 blobs, half a second without a turn of the event loop.
 * Null if the page is not whole.
 */
export function parsePage(xml: string): Page | null {
  if (!xml.trimEnd().endsWith('</EnumerationResults>')) return null
  const blobs: ListedBlob[] = []
  const folders: string[] = []
  for (const [, kind, encoded, text = '', rest = ''] of xml.matchAll(item)) {
    const name = encoded ? decodeURIComponent(unescapeXml(text)) : unescapeXml(text)
    if (kind === 'BlobPrefix') folders.push(name)
    else blobs.push(blobOf(name, rest))
  }
  return { blobs, folders, next: elementText(xml, 'NextMarker') ?? '' }
}

function blobOf(name: string, rest: string): ListedBlob {
  // Properties come before metadata: the first match is the service's own.
  const size = Number(elementText(rest, 'Content-Length') ?? 0)
  const time = Date.parse(elementText(rest, 'Last-Modified') ?? '')
  const tag = elementText(rest, 'Etag') ?? ''
  return {
    name,
    size,
    mtimeNs: BigInt(time) * 1_000_000n,
    etag: tag.startsWith('"') ? tag : `"${tag}"`,
    isFolder: size === 0 && (name.endsWith('/') || rest.includes('<hdi_isfolder>true<')),
  }
}
