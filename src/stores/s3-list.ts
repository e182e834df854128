import { setImmediate as nextTurn } from 'node:timers/promises'
import { ServiceError } from '../errors.js'
import { giveBack } from './blocks.js'
import { wholeOf } from './http-body.js'
import { quote } from './path.js'
import type { S3Bucket } from './s3-bucket.js'
import { Refusal } from './s3-failure.js'
import { type Page, parsePage } from './s3-page.js'
import type { ListOptions, StoredFile } from './store.js'

/** Of several folders this many are asked for at once: most have one page. */
const foldersAhead = 8

/** More than the thousand longest names that a page may have take (bytes). */
const longestPage = 16 << 20

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
      // A folder's marker too: the folder is there.
      some ||= page.objects.length + page.folders.length > 0
      pending = page.next === undefined ? undefined : started(readPage(bucket, folder, options, page.next))
      // It was taken apart in this turn; what becomes of its files is the next one's.
      await nextTurn()
      for (const file of entriesOf(bucket, page, options)) {
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
    const page = await readPage(bucket, folder, {}, token)
    for (const { key } of page.objects) yield key
    token = page.next
    if (token === undefined) return
  }
}

function* entriesOf(bucket: S3Bucket, page: Page, { namesOnly }: ListOptions): Generator<StoredFile> {
  const skip = bucket.prefix.length
  for (const { key, size, mtimeNs, etag } of page.objects) {
    const path = key.slice(skip)
    if (size === 0 && (path === '' || path.endsWith('/'))) continue
    if (namesOnly) yield { path, size: 0, mtimeNs: 0n }
    else yield { path, size, mtimeNs, ...(etag !== undefined && { etag }) }
  }
  for (const folder of page.folders) yield { path: folder.slice(skip, -1), size: 0, mtimeNs: 0n, folder: true }
}

/** At most a thousand names. */
function readPage(bucket: S3Bucket, folder: string, options: ListOptions, token?: string): Promise<Page> {
  const prefix = bucket.prefix + (folder === '' ? '' : `${folder}/`)
  const query = {
    'list-type': '2',
    'encoding-type': 'url',
    ...(prefix !== '' && { prefix }),
    ...(options.depth === 1 && { delimiter: '/' }),
    ...(token !== undefined && { 'continuation-token': token }),
  }
  return bucket.persist(async () => {
    const answer = await bucket.send('list', folder, { method: 'GET', key: '', query })
    const notWhole = (): Refusal => new Refusal(answer.status, '', 'not a whole page of a list', answer.headers)
    try {
      const bytes = await wholeOf(answer, longestPage, notWhole)
      const page = parsePage(`${bytes}`)
      giveBack(bytes)
      if (page === null) throw notWhole()
      return page
    } catch (error) {
      throw bucket.failure(error, 'list', folder)
    }
  })
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
