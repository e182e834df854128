import { serviceOf } from './address.js'
import { azureServiceOf } from './azure-store.js'
import type { S3Settings, StoreSettings } from './config.js'
import { isWithin } from './paths.js'

/** Are these the same place, or is one of them inside the other? Folders with their links resolved. */
export function overlap(one: StoreSettings, other: StoreSettings): boolean {
  if (one.kind === 'local' && other.kind === 'local') {
    return isWithin(one.root, other.root) || isWithin(other.root, one.root)
  }
  if (one.kind === 's3' && other.kind === 's3') {
    return one.bucket === other.bucket && s3ServiceOf(one) === s3ServiceOf(other) && areNested(one, other)
  }
  if (one.kind === 'azure' && other.kind === 'azure') {
    return one.container === other.container && azureServiceOf(one) === azureServiceOf(other) && areNested(one, other)
  }
  return false
}

/** For a message. */
export function describeStore(store: StoreSettings): string {
  if (store.kind === 'local') return store.root
  if (store.kind === 's3') return `s3://${store.bucket}/${store.prefix}`
  return `azure://${store.container}/${store.prefix}`
}

/** All of AWS is one service: a bucket's name is its own in every region. */
function s3ServiceOf({ endpoint }: S3Settings): string {
  const service = endpoint === undefined ? 'amazonaws.com' : serviceOf(endpoint)
  return /(^|\.)amazonaws\.com(\.cn)?$/.test(service) ? 'aws' : service
}

/** A prefix is empty or ends in a slash: so `data/` is not in `dat/`. */
function areNested(one: { prefix: string }, other: { prefix: string }): boolean {
  return one.prefix.startsWith(other.prefix) || other.prefix.startsWith(one.prefix)
}
