import type { StoreConfig } from '../../src/stores/open.js'
import type { Azurite } from '../servers/azurite.js'
import type { Minio } from '../servers/minio.js'
import { bucketPlace, containerPlace, type Place } from '../support/place.js'

/** A place of its own on a real server: how a store is opened there, and how another client sees it. */
export interface RemotePlace {
  readonly config: StoreConfig
  readonly place: Place
}

export async function onMinio(minio: Minio): Promise<RemotePlace> {
  const config = await minio.bucket()
  return { config, place: bucketPlace(minio, config.bucket, config.prefix) }
}

export async function onAzurite(azurite: Azurite): Promise<RemotePlace> {
  const container = await azurite.container()
  return { config: azurite.config(container.containerName), place: containerPlace(container) }
}
