import { endpointOf, prefixOf } from './address.js'
import { type S3Settings, Secret } from './config.js'
import type { StoreFields, StoreTable, TargetTable } from './settings.js'
import type { Values } from './values.js'

const bucketName = /^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$/
const regionName = /^[A-Za-z0-9-]+$/

/** A bucket of S3, or of a server that speaks its language, from the keys of a table. */
export function s3Of(values: Values, table: StoreTable): S3Settings {
  const given = values.under(table)
  if (!bucketName.test(given.s3_bucket)) values.refuse(`${table}.s3_bucket`, "a bucket's name")
  const region = given.s3_region || 'us-east-1'
  if (!regionName.test(region)) values.refuse(`${table}.s3_region`, 'a region such as "us-east-1"')
  const credentials = credentialsOf(values, table, given)
  return {
    kind: 's3',
    bucket: given.s3_bucket,
    prefix: prefixOf(values, `${table}.s3_prefix`, given.s3_prefix),
    region,
    ...(given.s3_endpoint !== '' && { endpoint: bareEndpointOf(values, table, given) }),
    pathStyle: given.s3_path_style,
    ...(credentials && { credentials }),
    retryTimeoutMs: values.settings['backup.retry_timeout'],
    stallTimeoutMs: values.settings['backup.stall_timeout'],
  }
}

/** What a company's bucket may ask of each object that is written. */
export function s3TargetOf(values: Values, table: TargetTable): S3Settings {
  const { s3_sse: sse, s3_kms_key_id: kmsKeyId, s3_storage_class: given } = values.under(table)
  const storageClass = given.toUpperCase()
  if (kmsKeyId !== '' && sse !== 'aws:kms') values.refuse(`${table}.s3_kms_key_id`, `none without s3_sse = "aws:kms"`)
  if (!/^[A-Z0-9_]*$/.test(storageClass)) {
    values.refuse(`${table}.s3_storage_class`, 'a storage class such as "STANDARD_IA"')
  }
  if (storageClass === 'GLACIER' || storageClass === 'DEEP_ARCHIVE') {
    values.refuse(`${table}.s3_storage_class`, 'a class that can be read at once: a backup is listed by reading it')
  }
  return {
    ...s3Of(values, table),
    ...(sse && { sse: sse === 'aes256' ? 'AES256' : sse }),
    ...(kmsKeyId !== '' && { kmsKeyId }),
    ...(storageClass !== '' && { storageClass }),
  }
}

function bareEndpointOf(values: Values, table: StoreTable, given: StoreFields): string {
  const endpoint = endpointOf(values, `${table}.s3_endpoint`, given.s3_endpoint, given.s3_use_ssl ? 'https' : 'http')
  // The bucket stands in s3_bucket, and there only.
  if (endpoint.split('/').length > 3) values.refuse(`${table}.s3_endpoint`, 'an address without a path')
  return endpoint
}

/** Each of the two keys falls back to its variable, as in Arc. A session's token belongs to the keys that it came with. */
function credentialsOf(values: Values, table: StoreTable, given: StoreFields): S3Settings['credentials'] {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = values.env
  const accessKeyId = given.s3_access_key || AWS_ACCESS_KEY_ID || ''
  const secretAccessKey = given.s3_secret_key || AWS_SECRET_ACCESS_KEY || ''
  if (accessKeyId === '' && secretAccessKey === '') return undefined
  if (accessKeyId === '') {
    values.refuse(`${table}.s3_access_key`, 'an access key (or AWS_ACCESS_KEY_ID), because there is a secret key')
  }
  if (secretAccessKey === '') {
    values.refuse(`${table}.s3_secret_key`, 'a secret key (or AWS_SECRET_ACCESS_KEY), because there is an access key')
  }
  const fromEnvironment = given.s3_access_key === '' && given.s3_secret_key === ''
  return {
    accessKeyId,
    secretAccessKey: new Secret(secretAccessKey),
    ...(fromEnvironment && AWS_SESSION_TOKEN && { sessionToken: new Secret(AWS_SESSION_TOKEN) }),
  }
}
