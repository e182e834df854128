import { rmSync } from 'node:fs'
import type { Owner } from '../test/servers/owner.js'

export type StoreKind = 'minio' | 'azurite'

/** A real server of an object store, alone on a free port of 127.0.0.1. */
export interface StoreServer {
  readonly kind: StoreKind
  readonly pid: number
  readonly port: number
  /** Makes a bucket or container of its own. */
  place(): Promise<RemotePlace>
  /** Gives back the room of what has been deleted; all places are empty afterwards. */
  renew(): Promise<void>
}

export interface RemotePlace {
  /** The lines of a table of `arc.toml` that lead there. @param port another one than the server's: that of a proxy before it */
  table(port?: number): string
  /** What `rclone` needs to know it as `bench:<root>`. */
  readonly rclone: { readonly root: string; readonly env: Readonly<Record<string, string>> }
  /** The same for `restic`, where it can reach such a server. */
  readonly restic?: { readonly repository: string; readonly env: Readonly<Record<string, string>> }
}

export function isStoreKind(name: string | undefined): name is StoreKind {
  return name === 'minio' || name === 'azurite'
}

/** Each kind's SDK is loaded only where it is wanted. @param under a folder for its data, which goes with it */
export async function startStoreServer(owner: Owner, kind: StoreKind, under: string): Promise<StoreServer> {
  return kind === 'minio' ? startS3(owner, under) : startAzure(owner, under)
}

async function startS3(owner: Owner, under: string): Promise<StoreServer> {
  const { startMinio } = await import('../test/servers/minio.js')
  const minio = await startMinio(owner, { under })
  const { port, endpoint, credentials } = minio
  const { accessKeyId, secretAccessKey } = credentials
  const place = async (): Promise<RemotePlace> => {
    const { bucket } = await minio.bucket()
    const table = (through = port): string => `type = "s3"
s3_bucket = "${bucket}"
s3_endpoint = "127.0.0.1:${through}"
s3_use_ssl = false
s3_path_style = true
s3_access_key = "${accessKeyId}"
s3_secret_key = "${secretAccessKey}"
`
    const env = {
      RCLONE_CONFIG_BENCH_TYPE: 's3',
      RCLONE_CONFIG_BENCH_PROVIDER: 'Minio',
      RCLONE_CONFIG_BENCH_ENDPOINT: endpoint,
      RCLONE_CONFIG_BENCH_ACCESS_KEY_ID: accessKeyId,
      RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY: secretAccessKey,
    }
    const restic = {
      repository: `s3:${endpoint}/${bucket}`,
      env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    }
    return { table, rclone: { root: bucket, env }, restic }
  }
  // What is deleted there is gone at once.
  const renew = async (): Promise<void> => {}
  return { kind: 'minio', pid: minio.pid ?? 0, port, place, renew }
}

async function startAzure(owner: Owner, under: string): Promise<StoreServer> {
  const folder = `${under}/azurite`
  owner.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { Azurite } = await import('../test/servers/azurite.js')
  const azurite = await Azurite.start(owner, folder)
  const { port, endpoint, account, accountKey } = azurite
  const containers: string[] = []
  const place = async (): Promise<RemotePlace> => {
    const { containerName } = await azurite.container()
    containers.push(containerName)
    const table = (through = port): string => `type = "azure"
azure_container = "${containerName}"
azure_account_name = "${account}"
azure_account_key = "${accountKey}"
azure_endpoint = "http://127.0.0.1:${through}/${account}"
`
    const env = {
      RCLONE_CONFIG_BENCH_TYPE: 'azureblob',
      // Without it names are looked up outside of this machine.
      RCLONE_CONFIG_BENCH_USE_EMULATOR: 'true',
      RCLONE_CONFIG_BENCH_ENDPOINT: endpoint,
    }
    return { table, rclone: { root: containerName, env } }
  }
  // It keeps the bytes of deleted blobs for ten minutes.
  const renew = async (): Promise<void> => {
    await azurite.kill()
    rmSync(folder, { recursive: true, force: true })
    await azurite.start()
    for (const name of containers) await azurite.container(name)
  }
  return {
    kind: 'azurite',
    get pid() {
      return azurite.pid ?? 0
    },
    port,
    place,
    renew,
  }
}
