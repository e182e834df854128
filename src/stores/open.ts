import type { Patience, Store } from './store.js'

/** Where a store is and how it is reached, as a plain value that can go to a worker thread. Holds credentials: never printed. */
export type StoreConfig = LocalStoreConfig | S3StoreConfig | AzureStoreConfig

export interface LocalStoreConfig {
  readonly kind: 'local'
  /** Absolute path. */
  readonly root: string
}

export interface S3StoreConfig extends Patience {
  readonly kind: 's3'
  readonly bucket: string
  /** '' or ending in `/`. */
  readonly prefix: string
  readonly region: string
  /** `https://host:port`; absent: AWS's own for the region. */
  readonly endpoint?: string
  readonly pathStyle: boolean
  /** Absent: the SDK's chain (environment, profile, web identity, container, instance). */
  readonly credentials?: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken?: string
  }
  /** Server-side encryption that each write asks for. */
  readonly sse?: 'AES256' | 'aws:kms'
  readonly kmsKeyId?: string
  readonly storageClass?: string
}

export interface AzureStoreConfig extends Patience {
  readonly kind: 'azure'
  readonly container: string
  /** '' or ending in `/`. */
  readonly prefix: string
  /** `https://account.blob.core.windows.net` or an emulator's `http://127.0.0.1:10000/devstoreaccount1`; not used with a connection string. */
  readonly endpoint?: string
  readonly credential:
    | { readonly kind: 'connection-string'; readonly connectionString: string }
    | { readonly kind: 'sas'; readonly account: string; readonly sasToken: string }
    | { readonly kind: 'account-key'; readonly account: string; readonly accountKey: string }
    /** `DefaultAzureCredential`: environment, workload identity, managed identity. */
    | { readonly kind: 'managed-identity'; readonly account: string }
}

/** Loads only the code of the store in use: the object stores' SDKs take up to 0.4 s. */
export async function openStore(config: StoreConfig): Promise<Store> {
  switch (config.kind) {
    case 'local': {
      const { LocalStore } = await import('./local.js')
      return new LocalStore(config.root)
    }
    case 'azure': {
      const { AzureStore } = await import('./azure.js')
      return AzureStore.open(config)
    }
    case 's3': {
      const { S3Store } = await import('./s3.js')
      return new S3Store(config)
    }
  }
}
