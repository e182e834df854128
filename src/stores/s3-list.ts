import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3'
import { ServiceError } from '../errors.js'
import { quote } from './path.js'
import type { S3Bucket } from './s3-bucket.js'
import { decodeKey } from './s3-key.js'
import type { ListOptions, StoredFile } from './store.js'

/** Of several folders this many are asked for at once: most have one page. */
const foldersAhead = 8

/** One answer of the service: at most a thousand names. */
interface Page {
  readonly files: StoredFile[]
  /** Anything at all, a folder's marker too: the folder is there. */
  readonly some: boolean
  readonly next: string | undefined
}

/**
 * Every object below some folders, page by page, the next page asked for while this one is read. Objects of size 0 whose key ends in `/` are markers that
 * consoles make for folders, not files. A single folder without any object is STORE_NOT_FOUND.
 */
export async function* listObjects(
  bucket: S3Bucket,
  folders: readonly string[],
  options: ListOptions = {},
): AsyncGenerator<StoredFile> {
  const exclude = options.exclude && folderwise(options.exclude)
  const ahead: Promise<Page>[] = []
  for (const [index, folder] of folders.entries()) {
    while (ahead.length < foldersAhead && index + ahead.length < folders.length) {
      ahead.push(started(readPage(bucket, folders[index + ahead.length] ?? '', options)))
    }
    let pending = ahead.shift()
    let some = folder === '' || folders.length > 1
    while (pending !== undefined) {
      const page: Page = await pending
      some ||= page.some
      pending = page.next === undefined ? undefined : started(readPage(bucket, folder, options, page.next))
      for (const file of page.files) {
        if (!exclude?.(file)) yield file
      }
    }
    if (!some) {
      const message = `cannot list ${quote(folder)} at ${bucket.url}: no object is in this folder`
      throw new ServiceError('STORE_NOT_FOUND', message, { verb: 'list', path: folder })
    }
  }
}

/** All keys below a folder as the service has them, markers of folders too. */
export async function* listKeys(bucket: S3Bucket, folder: string): AsyncGenerator<string> {
  for (let token: string | undefined; ; ) {
    const found = await ask(bucket, folder, {}, token)
    const nameOf = namesIn(found)
    for (const { Key } of found.Contents ?? []) if (Key !== undefined) yield nameOf(Key)
    token = found.IsTruncated ? found.NextContinuationToken : undefined
    if (token === undefined) return
  }
}

async function readPage(bucket: S3Bucket, folder: string, options: ListOptions, token?: string): Promise<Page> {
  const found = await ask(bucket, folder, options, token)
  const files: StoredFile[] = []
  const skip = bucket.prefix.length
  const nameOf = namesIn(found)
  for (const { Key = '', Size = 0, LastModified, ETag } of found.Contents ?? []) {
    const path = nameOf(Key).slice(skip)
    if (Size === 0 && (path === '' || path.endsWith('/'))) continue
    if (options.namesOnly) files.push({ path, size: 0, mtimeNs: 0n })
    else {
      files.push({
        path,
        size: Size,
        mtimeNs: BigInt(LastModified?.getTime() ?? 0) * 1_000_000n,
        ...(ETag !== undefined && { etag: ETag }),
      })
    }
  }
  for (const { Prefix = '' } of found.CommonPrefixes ?? []) {
    files.push({ path: nameOf(Prefix).slice(skip, -1), size: 0, mtimeNs: 0n, folder: true })
  }
  const some = (found.Contents?.length ?? 0) + (found.CommonPrefixes?.length ?? 0) > 0
  return { files, some, next: found.IsTruncated ? found.NextContinuationToken : undefined }
}

function ask(
  bucket: S3Bucket,
  folder: string,
  options: ListOptions,
  token: string | undefined,
): Promise<ListObjectsV2CommandOutput> {
  const prefix = bucket.prefix + (folder === '' ? '' : `${folder}/`)
  return bucket.call('list', folder, (client, Bucket) =>
    client.send(
      new ListObjectsV2Command({
        Bucket,
        EncodingType: 'url',
        ...(prefix !== '' && { Prefix: prefix }),
        ...(options.depth === 1 && { Delimiter: '/' }),
        ...(token !== undefined && { ContinuationToken: token }),
      }),
    ),
  )
}

/** Some services leave names as they are, whatever they were asked for. */
function namesIn({ EncodingType }: ListObjectsV2CommandOutput): (key: string) => string {
  return EncodingType === 'url' ? decodeKey : (key) => key
}

/** Nobody may be waiting yet when it fails. */
function started<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** Asks about each folder once, not for each file: keys of a folder come one after another. */
function folderwise(exclude: (path: string) => boolean): (file: StoredFile) => boolean {
  let folder = ''
  let out = false
  return ({ path, folder: isFolder }) => {
    if (isFolder) return exclude(`${path}/`)
    const parent = path.slice(0, path.lastIndexOf('/') + 1)
    if (parent !== folder) {
      folder = parent
      out = false
      for (let slash = parent.indexOf('/'); slash !== -1 && !out; slash = parent.indexOf('/', slash + 1)) {
        out = exclude(parent.slice(0, slash + 1))
      }
    }
    return out || exclude(path)
  }
}
