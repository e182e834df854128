import t, { type Test } from 'tap'
import { azureServiceOf } from '../../src/config/azure-store.js'
import type { AzureSettings } from '../../src/config/config.js'
import { loadConfig } from '../../src/config/load.js'
import { reveal } from '../../src/config/reveal.js'

function storage(t: Test, toml: string): AzureSettings {
  const cwd = t.testdir({ 'arc.toml': `[storage]\nbackend = "azure"\n${toml}` })
  return loadConfig({ cwd, env: {} }).storage.store as AzureSettings
}

const container = 'azure_container = "arc"\n'
const account = `${container}azure_account_name = "acme"\n`
const string = 'azure_connection_string = "AccountName=acme;AccountKey=a2V5PQ=="\n'

t.test('every key reaches its place', async (t) => {
  const store = storage(
    t,
    `${account}azure_account_key = "key"\nazure_prefix = "/arc/data"\nazure_endpoint = "host:10000/acme/"\n`,
  )
  t.strictSame(reveal(store), {
    kind: 'azure',
    container: 'arc',
    prefix: 'arc/data/',
    endpoint: 'https://host:10000/acme',
    credential: { kind: 'account-key', account: 'acme', accountKey: 'key' },
    retryTimeoutMs: 60_000,
    stallTimeoutMs: 30_000,
  })
  t.equal(storage(t, `${account}azure_account_key = "key"\n`).endpoint, 'https://acme.blob.core.windows.net')
})

t.test("the order of credentials is Arc's", async (t) => {
  const ways = [
    [string, { kind: 'connection-string', connectionString: 'AccountName=acme;AccountKey=a2V5PQ==' }],
    ['azure_sas_token = "?sv=1&sig=x"\n', { kind: 'sas', account: 'acme', sasToken: 'sv=1&sig=x' }],
    ['azure_account_key = "key"\n', { kind: 'account-key', account: 'acme', accountKey: 'key' }],
    ['azure_use_managed_identity = true\n', { kind: 'managed-identity', account: 'acme' }],
  ] as const
  for (const index of ways.keys()) {
    const given = ways.slice(index).map(([toml]) => toml)
    t.strictSame(reveal(storage(t, account + given.join('')).credential), ways[index]?.[1])
  }
  const own = storage(t, container + string)
  t.equal(own.endpoint, undefined, 'the string has its own')
  t.notMatch(JSON.stringify(own), 'a2V5')
})

t.test('what is refused', async (t) => {
  for (const [toml, message] of [
    [account, /arc.toml:1: storage.azure_account_key is not set, expected a key, or else azure_sas_token/],
    [`azure_account_name = "acme"\nazure_account_key = "k"`, /arc.toml:1: storage.azure_container is not set/],
    [`azure_container = "A_b"\n${string}`, /arc.toml:3: storage.azure_container is "A_b", expected a container's name/],
    [`azure_container = "ab"\n${string}`, /expected a container's name/],
    [`azure_container = "a--b"\n${string}`, /expected a container's name/],
    [`${container}azure_account_key = "k"`, /azure_account_name is not set, expected a storage account's name/],
    [`${container}azure_account_name = "a.b"\nazure_account_key = "k"`, /azure_account_name is "a.b", expected/],
    [`${account}azure_account_key = "k"\nazure_prefix = "a b"`, /azure_prefix is "a b", expected names/],
    [
      `${account}azure_account_key = "k"\nazure_endpoint = "ftp://x"`,
      /azure_endpoint is "ftp:\/\/x", expected the address/,
    ],
    [
      `${container}azure_connection_string = "sentinel"`,
      /arc.toml:4: storage.azure_connection_string is \*\*\*, expected an Azure/,
    ],
    [`${container}azure_connection_string = "BlobEndpoint=sentinel"`, /azure_connection_string is \*\*\*/],
    [`${container}azure_connection_string = "AccountName=sentinel"`, /azure_connection_string is \*\*\*/],
  ] as const) {
    t.throws(() => storage(t, toml), { code: 'CONFIG_INVALID', message }, toml)
  }
  for (const name of ['$root', '$web', 'abc', 'a-b-c']) {
    t.equal(storage(t, `azure_container = "${name}"\n${string}`).container, name)
  }
})

t.test('the service that an account is at, however it is told', async (t) => {
  const service = (toml: string) => azureServiceOf(storage(t, container + toml))
  const key = 'azure_account_name = "acme"\nazure_account_key = "k"\n'
  t.equal(service(key), 'acme.blob.core.windows.net')
  t.equal(service(string), 'acme.blob.core.windows.net')
  t.equal(
    service(
      'azure_connection_string = " blobendpoint = https://acme.blob.core.windows.net/ ;SharedAccessSignature=sv=1&sig=x"',
    ),
    'acme.blob.core.windows.net',
  )
  t.equal(
    service('azure_connection_string = "AccountName=acme;AccountKey=k;EndpointSuffix=core.chinacloudapi.cn"'),
    'acme.blob.core.chinacloudapi.cn',
  )
  const emulator = '127.0.0.1:10000/devstoreaccount1'
  t.equal(service('azure_connection_string = "UseDevelopmentStorage=true"'), emulator)
  t.equal(service(`${key}azure_endpoint = "http://${emulator}"`), emulator)
  t.equal(azureServiceOf({ ...storage(t, container + key), endpoint: 'http://x' }), 'x')
})
