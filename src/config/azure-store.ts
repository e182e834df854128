import { endpointOf, prefixOf, serviceOf } from './address.js'
import { type AzureSettings, Secret } from './config.js'
import type { StoreTable } from './settings.js'
import type { Values } from './values.js'

const containerName = /^(?:\$root|\$web|(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*)$/
const accountName = /^[a-z0-9]{3,24}$/
const emulator = '127.0.0.1:10000/devstoreaccount1'

/** A container of Azure Blob Storage from the keys of a table. */
export function azureOf(values: Values, table: StoreTable): AzureSettings {
  const given = values.under(table)
  if (!containerName.test(given.azure_container)) values.refuse(`${table}.azure_container`, "a container's name")
  const credential = credentialOf(values, table)
  return {
    kind: 'azure',
    container: given.azure_container,
    prefix: prefixOf(values, `${table}.azure_prefix`, given.azure_prefix),
    // A connection string says where its account is.
    ...(credential.kind !== 'connection-string' && {
      endpoint:
        given.azure_endpoint === ''
          ? `https://${credential.account}.blob.core.windows.net`
          : endpointOf(values, `${table}.azure_endpoint`, given.azure_endpoint, 'https'),
    }),
    credential,
    retryTimeoutMs: values.settings['backup.retry_timeout'],
    stallTimeoutMs: values.settings['backup.stall_timeout'],
  }
}

/** Arc's order: of several that are set, it takes the first. */
function credentialOf(values: Values, table: StoreTable): AzureSettings['credential'] {
  const given = values.under(table)
  const connectionString = given.azure_connection_string
  if (connectionString !== '') {
    if (serviceIn(connectionString) === undefined) {
      values.refuse(
        `${table}.azure_connection_string`,
        'an Azure connection string with AccountName and AccountKey, or with BlobEndpoint and SharedAccessSignature',
      )
    }
    return { kind: 'connection-string', connectionString: new Secret(connectionString) }
  }
  const account = given.azure_account_name
  if (!accountName.test(account)) {
    values.refuse(`${table}.azure_account_name`, "a storage account's name (or azure_connection_string)")
  }
  const sasToken = given.azure_sas_token.replace(/^\?/, '')
  if (sasToken !== '') return { kind: 'sas', account, sasToken: new Secret(sasToken) }
  if (given.azure_account_key !== '') {
    return { kind: 'account-key', account, accountKey: new Secret(given.azure_account_key) }
  }
  if (!given.azure_use_managed_identity) {
    values.refuse(
      `${table}.azure_account_key`,
      'a key, or else azure_sas_token, azure_connection_string or azure_use_managed_identity = true',
    )
  }
  return { kind: 'managed-identity', account }
}

/** `host:port/path` of the account: where both are the same, and the container, two prefixes can overlap. */
export function azureServiceOf({ credential, endpoint }: AzureSettings): string | undefined {
  if (credential.kind === 'connection-string') return serviceIn(credential.connectionString.reveal())
  return endpoint === undefined ? undefined : serviceOf(endpoint)
}

function serviceIn(connectionString: string): string | undefined {
  const parts = new Map(
    connectionString.split(';').map((part) => {
      const [, name = '', value = ''] = /^\s*([^=]*?)\s*=\s*(.*?)\s*$/.exec(part) ?? []
      return [name.toLowerCase(), value] as const
    }),
  )
  if (parts.get('usedevelopmentstorage') === 'true') return emulator
  const endpoint = parts.get('blobendpoint')
  if (endpoint !== undefined) return URL.canParse(endpoint) ? serviceOf(endpoint) : undefined
  const account = parts.get('accountname')
  if (account === undefined || !parts.has('accountkey')) return undefined
  return `${account}.blob.${parts.get('endpointsuffix') ?? 'core.windows.net'}`
}
