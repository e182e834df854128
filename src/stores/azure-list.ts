import { ServiceError } from '../errors.js'
import type { AzureClient } from './azure-client.js'
import { type Page, parsePage } from './azure-page.js'
import { broken, readWhole } from './azure-read.js'
import { giveBack } from './blocks.js'
import { quote } from './path.js'
import type { ListOptions, StoredFile } from './store.js'

/** Azure's largest page. */
const pageSize = 5000
/** More than 5000 entries of the longest names take (bytes). */
const longestPage = 64 << 20
/** Folders asked for at once where there are several, to hide latency, and their page: what is held stays bounded. */
const foldersAtOnce = 8
const pageOfSeveral = 1000

interface Asked {
  readonly folder: string
  /** One level only? */
  readonly level: boolean
  readonly size: number
}

/** Every file below some folders; see `Store.list`. */
export async function* listBlobs(
  client: AzureClient,
  folders: readonly string[],
  options: ListOptions = {},
): AsyncGenerator<StoredFile, void, undefined> {
  const [only] = folders.length === 1 ? folders : []
  const size = folders.length === 1 ? pageSize : pageOfSeveral
  let seen = 0
  for (let start = 0; start < folders.length; start += foldersAtOnce) {
    const asked = folders
      .slice(start, start + foldersAtOnce)
      .map((folder) => ({ folder, level: options.depth === 1, size }))
    const firsts = await Promise.all(asked.map((ask) => readPage(client, ask)))
    for (const [index, ask] of asked.entries()) {
      for await (const page of pagesFrom(client, ask, firsts[index])) {
        seen += page.blobs.length + page.folders.length
        yield* entriesOf(client, page, ask.folder, options)
      }
    }
  }
  // The root is there whenever the container is, any other folder only by what is in it.
  if (seen === 0 && only !== undefined && only !== '') {
    const message = `cannot list ${quote(only)} at ${client.url}: there is no such folder`
    throw new ServiceError('STORE_NOT_FOUND', message, { verb: 'list', path: only })
  }
}

/** Names of all blobs below a folder, what is no file too: all that has to go with it. In pages. */
export async function* namesBelow(client: AzureClient, folder: string): AsyncGenerator<string[], void, undefined> {
  for await (const page of pagesFrom(client, { folder, level: false, size: pageSize }, undefined)) {
    yield page.blobs.map(({ name }) => name)
  }
}

async function* pagesFrom(
  client: AzureClient,
  ask: Asked,
  first: Page | undefined,
): AsyncGenerator<Page, void, undefined> {
  for (let page = first ?? (await readPage(client, ask)); ; page = await readPage(client, ask, page.next)) {
    yield page
    if (page.next === '') return
  }
}

async function readPage(client: AzureClient, { folder, level, size }: Asked, marker = ''): Promise<Page> {
  const query = new URLSearchParams({
    restype: 'container',
    comp: 'list',
    // Only metadata tells a data lake's folders from empty files.
    include: 'metadata',
    prefix: client.prefix + (folder === '' ? '' : `${folder}/`),
    maxresults: `${size}`,
    ...(level && { delimiter: '/' }),
    ...(marker !== '' && { marker }),
  })
  const place = client.place('list', folder)
  return client.try('list', folder, async () => {
    const response = await client.send({ method: 'GET', name: '', query: `${query}` })
    const tooLong = (): ServiceError => broken('STORE_UNREACHABLE', place, 'a page of the listing has no end')
    const bytes = await readWhole(response, place, client.stallMs, { most: longestPage, tooLong })
    const page = parsePage(`${bytes}`)
    giveBack(bytes)
    if (page === null) throw broken('STORE_UNREACHABLE', place, 'a page of the listing is not whole')
    return page
  })
}

function* entriesOf(
  client: AzureClient,
  page: Page,
  below: string,
  { exclude, namesOnly }: ListOptions,
): Generator<StoredFile> {
  const cut = client.prefix.length
  const isLeftOut = exclude && excludeWithFolders(exclude, below === '' ? 0 : below.length + 1)
  for (const name of page.folders) {
    const path = name.slice(cut, -1)
    // A folder without a name can't be walked: it is shown as a file that can't be read, so that a backup can name the gap.
    const folder = path !== '' && !path.endsWith('/')
    if (!exclude?.(folder ? `${path}/` : path)) yield { path, size: 0, mtimeNs: 0n, ...(folder && { folder }) }
  }
  for (const { name, size, mtimeNs, etag, isFolder } of page.blobs) {
    const path = name.slice(cut)
    if (isFolder || isLeftOut?.(path)) continue
    if (namesOnly) yield { path, size: 0, mtimeNs: 0n }
    else yield { path, size, mtimeNs, etag }
  }
}

/** Does a rule leave out this path, or one of the folders that it is in below the first `from` characters? */
export function excludeWithFolders(exclude: (path: string) => boolean, from: number): (path: string) => boolean {
  // Names come in order, so files of one folder come one after the other.
  let [known, left] = ['', false]
  return (path) => {
    const folder = path.slice(0, path.lastIndexOf('/') + 1)
    if (folder !== known) {
      known = folder
      left = false
      for (let slash = folder.indexOf('/', from); slash !== -1 && !left; slash = folder.indexOf('/', slash + 1)) {
        left = exclude(folder.slice(0, slash + 1))
      }
    }
    return left || exclude(path)
  }
}
