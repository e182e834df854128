import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import {
  type _Object,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import type { ContainerClient } from '@azure/storage-blob'
import type { Minio } from '../servers/minio.js'
import { hashTree } from './tree.js'

/** Where files live, as another client than ours sees it. */
export interface Place {
  put(path: string, content: Buffer): Promise<void>
  get(path: string): Promise<Buffer>
  remove(path: string): Promise<void>
  /** SHA-256 (hex) of every file by its path. What goes between the listing and the reading is not there: a server may be at a removal still whose client is dead. */
  tree(): Promise<Record<string, string>>
  /** Names of the folders at the top, without a look into any file: some come and go where others work. */
  folders(): Promise<string[]>
}

export function folderPlace(root: string): Place {
  return {
    put: async (path, content) => {
      mkdirSync(dirname(`${root}/${path}`), { recursive: true })
      writeFileSync(`${root}/${path}`, content)
    },
    get: async (path) => readFileSync(`${root}/${path}`),
    remove: async (path) => rmSync(`${root}/${path}`),
    tree: async () => hashTree(root),
    folders: async () => {
      const entries = readdirSync(root, { withFileTypes: true })
      return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    },
  }
}

/** @param prefix '' or ending in `/` */
export function bucketPlace({ client }: Minio, Bucket: string, prefix = ''): Place {
  const paths = async (): Promise<string[]> => {
    const found: _Object[] = []
    for (let ContinuationToken: string | undefined; ; ) {
      const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix, ContinuationToken }))
      found.push(...(page.Contents ?? []))
      ContinuationToken = page.NextContinuationToken
      if (ContinuationToken === undefined) return found.map(({ Key = '' }) => Key.slice(prefix.length))
    }
  }
  const get = async (path: string): Promise<Buffer> => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: prefix + path }))
    return Buffer.from((await Body?.transformToByteArray()) ?? [])
  }
  return {
    get,
    put: async (path, Body) => {
      await client.send(new PutObjectCommand({ Bucket, Key: prefix + path, Body }))
    },
    remove: async (path) => {
      await client.send(new DeleteObjectCommand({ Bucket, Key: prefix + path }))
    },
    tree: async () => hashAll(await paths(), get),
    folders: async () => topFolders(await paths()),
  }
}

/** @param prefix '' or ending in `/` */
export function containerPlace(container: ContainerClient, prefix = ''): Place {
  const get = (path: string): Promise<Buffer> => container.getBlockBlobClient(prefix + path).downloadToBuffer()
  const paths = async (): Promise<string[]> => {
    const found: string[] = []
    for await (const { name } of container.listBlobsFlat({ prefix })) found.push(name.slice(prefix.length))
    return found
  }
  return {
    get,
    put: async (path, content) => {
      await container.getBlockBlobClient(prefix + path).uploadData(content)
    },
    remove: async (path) => {
      await container.getBlockBlobClient(prefix + path).delete()
    },
    tree: async () => hashAll(await paths(), get),
    folders: async () => topFolders(await paths()),
  }
}

async function hashAll(
  paths: readonly string[],
  get: (path: string) => Promise<Buffer>,
): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const path of paths) {
    try {
      found[path] = sha256(await get(path))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }
  return found
}

/** S3 tells it by name, Azure by status. */
function isGone(error: unknown): boolean {
  const { name, statusCode } = error as { name?: string; statusCode?: number }
  return name === 'NoSuchKey' || statusCode === 404
}

function topFolders(paths: readonly string[]): string[] {
  const first = paths.filter((path) => path.includes('/')).map((path) => path.slice(0, path.indexOf('/')))
  return [...new Set(first)]
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
