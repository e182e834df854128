import t from 'tap'
import { endpointOf, prefixOf, serviceOf } from '../../src/config/address.js'
import { Values } from '../../src/config/values.js'

function refusals(read: (values: Values) => unknown, env: NodeJS.ProcessEnv): string {
  const values = new Values(null, env)
  read(values)
  try {
    values.check()
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

t.test('an endpoint: its scheme, and no slash at its end', async (t) => {
  const right = [
    ['host', 'https', 'https://host'],
    ['host:9000', 'http', 'http://host:9000'],
    ['http://host:9000/', 'https', 'http://host:9000'],
    ['HTTPS://Host:443', 'http', 'https://host'],
    ['[::1]:9000', 'http', 'http://[::1]:9000'],
    ['http://127.0.0.1:10000/devstoreaccount1/', 'https', 'http://127.0.0.1:10000/devstoreaccount1'],
  ] as const
  for (const [given, scheme, expected] of right) {
    const values = new Values(null, {})
    t.equal(endpointOf(values, 'storage.s3_endpoint', given, scheme), expected)
    values.check()
  }
})

t.test('what is no endpoint, or would carry a secret into every message', async (t) => {
  for (const given of [
    'ftp://host',
    'host name',
    'https://',
    'host:port',
    'me@host',
    'me:pw@host',
    'host?sig=x',
    'host#x',
  ]) {
    const message = refusals((values) => endpointOf(values, 'storage.s3_endpoint', given, 'https'), {
      ARC_STORAGE_S3_ENDPOINT: given,
    })
    t.match(message, /\(storage.s3_endpoint\) is .*, expected the address of a server/, given)
    if (/[@?]/.test(given)) t.notMatch(message, given)
  }
})

t.test('a prefix: empty, or with one slash at its end and none before it', async (t) => {
  for (const [given, expected] of [
    ['', ''],
    ['a', 'a/'],
    ['a/', 'a/'],
    ['/a/b', 'a/b/'],
    ['/a/', 'a/'],
    ['A-z_0.9/.b', 'A-z_0.9/.b/'],
  ] as const) {
    const values = new Values(null, {})
    t.equal(prefixOf(values, 'storage.s3_prefix', given), expected)
    values.check()
  }
})

t.test('a prefix that Arc would take for none is refused', async (t) => {
  for (const given of [
    '/',
    '//',
    'a//b',
    '//a',
    'a//',
    '..',
    'a/../b',
    'a..b',
    '.',
    './a',
    'a/.',
    'a b',
    'ä',
    'a*',
    'a\\b',
  ]) {
    const message = refusals((values) => prefixOf(values, 'storage.s3_prefix', given), { ARC_STORAGE_S3_PREFIX: given })
    t.match(message, /ARC_STORAGE_S3_PREFIX \(storage.s3_prefix\) is ".*", expected names of letters/, given)
  }
})

t.test('one service, however it is written', async (t) => {
  t.equal(serviceOf('http://Host:80/'), serviceOf('https://host'))
  t.equal(serviceOf('https://host/account/'), serviceOf('https://host/account'))
  t.not(serviceOf('https://host:9000'), serviceOf('https://host'))
})
