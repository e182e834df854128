import { GetObjectCommand, ListObjectsV2Command, NoSuchKey } from '@aws-sdk/client-s3'
import type { S3StoreConfig } from '../../src/stores/open.js'
import type { Minio } from './minio.js'

/** An object as the plain SDK reads it; null where there is none. */
export async function readObject(minio: Minio, { bucket }: S3StoreConfig, key: string): Promise<Buffer | null> {
  try {
    const { Body } = await minio.client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    return Buffer.from((await Body?.transformToByteArray()) ?? [])
  } catch (error) {
    if (error instanceof NoSuchKey) return null
    throw error
  }
}

/** All keys as the plain SDK lists them, and what uploads that were never ended left on the server's disk. */
export async function everyName(minio: Minio, { bucket }: S3StoreConfig): Promise<string[]> {
  const names: string[] = []
  for (let token: string | undefined; ; ) {
    const found = await minio.client.send(new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: token }))
    for (const { Key = '' } of found.Contents ?? []) names.push(Key)
    token = found.NextContinuationToken
    if (token === undefined) return [...names, ...minio.uploads().map((upload) => `an open upload: ${upload}`)]
  }
}
