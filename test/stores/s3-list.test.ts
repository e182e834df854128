import t from 'tap'
import { openStore } from '../../src/stores/open.js'
import { startMinio } from '../servers/minio.js'
import { startProxy } from '../servers/proxy.js'

const minio = await startMinio(t)

t.test('names are decoded only where the service says that it encoded them', async (t) => {
  const proxy = await startProxy(t, minio.port)
  const store = await openStore({ ...(await minio.bucket()), endpoint: proxy.url })
  t.teardown(() => store.close())
  const listed = async (encoding: string): Promise<string[]> => {
    const object = '<Contents><Key>db/50%25+a</Key><Size>1</Size></Contents>'
    const body = `<ListBucketResult>${encoding}${object}<IsTruncated>false</IsTruncated></ListBucketResult>`
    proxy.plan.refuse = { of: 'list-type=2', status: 200, body }
    const names: string[] = []
    for await (const { path } of store.list('')) names.push(path)
    return names
  }
  t.same(await listed('<EncodingType>url</EncodingType>'), ['db/50% a'])
  t.same(await listed(''), ['db/50%25+a'])
})
