import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ContainerSASPermissions } from '@azure/storage-blob'
import type { Test } from 'tap'
import type { Azurite } from '../servers/azurite.js'
import type { Minio } from '../servers/minio.js'
import { assumeRole } from '../servers/minio-role.js'
import { type Proxy as Between, type Plan, startProxy } from '../servers/proxy.js'
import { bucketPlace, containerPlace, folderPlace, type Place } from './place.js'
import { type Json, startTestService, type TestService } from './service.js'

type Keys = Readonly<Record<string, string | boolean>>

/** Other credentials than those of the owner. */
export interface Credentials {
  readonly keys?: Keys
  readonly env?: NodeJS.ProcessEnv
}

/** A kind of object store that things go wrong with. */
export interface FaultyKind {
  readonly name: 's3' | 'azure'
  /** What no answer and no error may hold. */
  readonly secret: string
  /** A bucket or container of its own, and the keys of a table that lead there through a proxy. */
  open(t: Test, plan: Plan): Promise<{ place: Place; keys: Keys; proxy: Between }>
  readonly wrongKey: Keys
  readonly missing: Keys
  /** Those that may read and list only. */
  reading(keys: Keys): Promise<Credentials>
  /** The server's process ends, until it is told to start again. */
  away(): Promise<() => Promise<void>>
}

/** A whole service with a store behind a proxy: as the place for backups, or as Arc's own storage; the other one is a folder. */
export interface Ground extends TestService {
  readonly kind: FaultyKind
  /** Of the store's table. */
  readonly keys: Keys
  readonly proxy: Between
  /** The store as another client sees it that knows no proxy. */
  readonly place: Place
  /** Arc's data, and backups. */
  readonly storage: Place
  readonly target: Place
  /** Is everything of Arc's data in the backup as it is there now? */
  isWhole(backup: Json): Promise<void>
  /** After a sweep nothing of a failed operation is there. */
  isClean(): Promise<void>
  /** The same without anybody's asking for one. */
  becomesClean(): Promise<void>
  /** The same again with other credentials. */
  restart(credentials: Credentials): Promise<Ground>
}

export interface GroundOptions extends Credentials {
  /** What the store is. */
  readonly as: 'target' | 'storage'
  readonly plan?: Plan
  readonly stallTimeout?: string
}

const wrong = Buffer.alloc(32, 7).toString('base64')

/** @param azurite with a folder: it is stopped and started again */
export function faultyKinds(minio: Minio, azurite: Azurite): readonly FaultyKind[] {
  const { accessKeyId, secretAccessKey } = minio.credentials
  return [
    {
      name: 's3',
      secret: secretAccessKey,
      open: async (t, plan) => {
        const proxy = await startProxy(t, minio.port, plan)
        const { bucket } = await minio.bucket()
        const keys = {
          s3_bucket: bucket,
          s3_endpoint: proxy.url.slice(7),
          s3_use_ssl: false,
          s3_path_style: true,
          s3_access_key: accessKeyId,
          s3_secret_key: secretAccessKey,
        }
        return { place: bucketPlace(minio, bucket), keys, proxy }
      },
      wrongKey: { s3_secret_key: wrong },
      missing: { s3_bucket: 'there-is-none' },
      reading: async () => {
        const role = await assumeRole(minio, ['s3:GetObject', 's3:ListBucket'])
        const { accessKeyId, secretAccessKey, sessionToken = '' } = role
        const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
        return { keys: { s3_access_key: '', s3_secret_key: '' }, env: { ...env, AWS_SESSION_TOKEN: sessionToken } }
      },
      away: async () => {
        await minio.kill()
        return () => minio.start()
      },
    },
    {
      name: 'azure',
      secret: azurite.accountKey,
      open: async (t, plan) => {
        const proxy = await startProxy(t, azurite.port, plan)
        const container = await azurite.container()
        const keys = {
          azure_container: container.containerName,
          azure_endpoint: `${proxy.url}/${azurite.account}`,
          azure_account_name: azurite.account,
          azure_account_key: azurite.accountKey,
        }
        return { place: containerPlace(container), keys, proxy }
      },
      wrongKey: { azure_account_key: wrong },
      missing: { azure_container: 'there-is-none' },
      reading: async (keys) => ({ keys: { azure_sas_token: await sasOf(azurite, keys, 'rl', 3_600_000) } }),
      // Killed, it would lose what it stored in the last seconds, which no service does: it ends by itself, and its connections are cut.
      away: async () => {
        await azurite.stop()
        return () => azurite.start()
      },
    },
  ]
}

/** A SAS for a container that ends in so many ms. */
export async function sasOf(azurite: Azurite, keys: Keys, permissions: string, ms: number): Promise<string> {
  const url = await azurite.client(String(keys.azure_container)).generateSasUrl({
    permissions: ContainerSASPermissions.parse(permissions),
    startsOn: new Date(Date.now() - 3_600_000),
    expiresOn: new Date(Date.now() + ms),
  })
  return new URL(url).search.slice(1)
}

/** Bytes of the large file. */
export const largeBytes = 24 << 20

/** Small files and a large one are Arc's data. */
export async function prepareGround(
  t: Test,
  minio: Minio,
  kind: FaultyKind,
  { as, plan = {}, stallTimeout = '2s', ...credentials }: GroundOptions,
): Promise<Ground> {
  const folder = t.testdir({})
  const { place, keys, proxy } = await kind.open(t, plan)
  const local = `${folder}/local`
  mkdirSync(local, { recursive: true })
  const [storage, target] = as === 'target' ? [folderPlace(local), place] : [place, folderPlace(local)]
  for (let index = 0; index < 60; index += 1) await storage.put(`db/m/${index}.parquet`, Buffer.from(`file ${index}`))
  await storage.put('db/m/large.parquet', Buffer.alloc(largeBytes, 'large'))
  const isWhole = async ({ backup_id: id }: Json): Promise<void> => {
    const kept = await target.tree()
    for (const [path, hash] of Object.entries(await storage.tree())) {
      if (!path.startsWith('.') && kept[`${id}/data/${path}`] !== hash) t.fail(path)
    }
    t.ok(kept[`${id}/manifest.json`])
  }
  const start = async ({ keys: others, env }: Credentials): Promise<Ground> => {
    const [ofStorage, ofTarget] = as === 'target' ? [{}, { ...keys, ...others }] : [{ ...keys, ...others }, {}]
    const config = [
      ...['[auth]', 'enabled = false', '[storage]', `backend = "${as === 'target' ? 'local' : kind.name}"`],
      ...[`local_path = "${local}"`, ...lines(ofStorage), '[backup]', 'local_path = ""', 'default_target = "there"'],
      ...['retry_timeout = "8s"', `stall_timeout = "${stallTimeout}"`, '[backup.targets.there]'],
      ...[`type = "${as === 'target' ? kind.name : 'local'}"`, `local_path = "${local}"`, ...lines(ofTarget)],
    ]
    writeFileSync(`${folder}/arc.toml`, config.join('\n'))
    const service = await startTestService(t, { folder, ...(env && { env }) })
    /** What is there of backups that are none, and in Arc's storage beside its data. */
    const debris = async (): Promise<string[]> => {
      const names = Object.keys(await target.tree()).filter((path) => /^backup-[^/]*\/./.test(path))
      const whole = new Set(names.filter((path) => path.endsWith('/manifest.json')).map((path) => path.split('/')[0]))
      const left = names.filter((path) => !whole.has(path.split('/')[0]) || path.includes('.arc-backup'))
      const data = as === 'storage' ? Object.keys(await storage.tree()) : []
      const others = data.filter((path) => !/^(?:db\/m\/\w+\.parquet|\.arc-backup\.lock\.json)$/.test(path))
      return [...left, ...others, ...minio.uploads()]
    }
    const { coordinator } = service.service
    const isClean = async (): Promise<void> => {
      await coordinator.idle()
      await coordinator.sweep(false)
      t.same(await debris(), [])
    }
    const becomesClean = async (): Promise<void> => {
      // What is listed may be removed before it is read.
      const look = (): Promise<string[]> => debris().catch((error: unknown) => [String(error)])
      let left = await look()
      for (let tries = 0; tries < 300 && left.length > 0; tries += 1) {
        await sleep(200)
        left = await look()
      }
      t.same(left, [], 'by itself')
    }
    const restart = async (again: Credentials): Promise<Ground> => {
      await service.service.close()
      return start(again)
    }
    return { ...service, kind, keys, proxy, place, storage, target, isWhole, isClean, becomesClean, restart }
  }
  return start(credentials)
}

function lines(keys: Keys): string[] {
  return Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}`)
}

/** Waits until something has moved. */
export async function underWay({ call }: TestService): Promise<void> {
  for (;;) {
    const { json } = await call('GET', '/status')
    if (Number(json.processed_files) >= 3) return
    if (json.status !== 'running') throw new Error(`it has ended: ${JSON.stringify(json)}`)
    await sleep(2)
  }
}
