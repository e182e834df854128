import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import type { Azurite } from '../servers/azurite.js'
import type { Minio } from '../servers/minio.js'
import { bucketPlace, containerPlace, folderPlace, type Place } from './place.js'

export const kinds = ['local', 's3', 'azure'] as const
export type Kind = (typeof kinds)[number]

/** A place of its own in a store of a kind, and the lines of a table that lead there. */
export interface ConfiguredPlace {
  readonly place: Place
  readonly lines: readonly string[]
}

/** Makes such places, on these servers. */
export function placeMaker(minio: Minio, azurite: Azurite): (t: Test, kind: Kind) => Promise<ConfiguredPlace> {
  return (t, kind) => makePlace(t, kind, minio, azurite)
}

async function makePlace(t: Test, kind: Kind, minio: Minio, azurite: Azurite): Promise<ConfiguredPlace> {
  if (kind === 'local') {
    const root = `${t.testdirName}/${randomUUID()}`
    return { place: folderPlace(root), lines: [`local_path = "${root}"`] }
  }
  if (kind === 's3') {
    const { bucket } = await minio.bucket()
    const { accessKeyId, secretAccessKey } = minio.credentials
    const lines = [
      `s3_bucket = "${bucket}"`,
      's3_prefix = "some/where"',
      `s3_endpoint = "127.0.0.1:${minio.port}"`,
      's3_use_ssl = false',
      's3_path_style = true',
      `s3_access_key = "${accessKeyId}"`,
      `s3_secret_key = "${secretAccessKey}"`,
    ]
    return { place: bucketPlace(minio, bucket, 'some/where/'), lines }
  }
  const container = await azurite.container()
  const lines = [
    `azure_container = "${container.containerName}"`,
    'azure_prefix = "some/where"',
    `azure_connection_string = "${azurite.connectionString}"`,
  ]
  return { place: containerPlace(container, 'some/where/'), lines }
}
