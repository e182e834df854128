import type { PipelinePolicy, PipelineRequest } from '@azure/core-rest-pipeline'
import type { StorageSharedKeyCredential } from '@azure/storage-blob'

/** Headers that are signed by their place in the string; `x-ms-…` are signed by their names. */
const signed = [
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-type',
  'date',
  'if-modified-since',
  'if-match',
  'if-none-match',
  'if-unmodified-since',
  'range',
]

/** Signs each request with the account's key: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key */
export function sharedKeyPolicy(key: StorageSharedKeyCredential): PipelinePolicy {
  return {
    name: 'sharedKey',
    sendRequest(request, next) {
      request.headers.set('x-ms-date', new Date().toUTCString())
      const signature = key.computeHMACSHA256(stringToSign(request, key.accountName))
      request.headers.set('authorization', `SharedKey ${key.accountName}:${signature}`)
      return next(request)
    },
  }
}

/** The text that the signature covers. */
export function stringToSign({ method, url, headers }: PipelineRequest, account: string): string {
  const named = [...headers].filter(([name]) => name.startsWith('x-ms-')).sort(byName)
  const { pathname, searchParams } = new URL(url)
  const query = [...searchParams].sort(byName)
  // A length of zero is signed as none.
  const values = signed.map((name) =>
    name === 'content-length' && headers.get(name) === '0' ? '' : (headers.get(name) ?? ''),
  )
  return [
    method,
    ...values,
    ...named.map(([name, value]) => `${name}:${value.trim()}`),
    `/${account}${pathname}`,
    ...query.map(([name, value]) => `${name}:${value}`),
  ].join('\n')
}

function byName([a]: [string, string], [b]: [string, string]): number {
  return a < b ? -1 : 1
}
