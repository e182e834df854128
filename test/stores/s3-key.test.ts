import t from 'tap'
import { decodeKey, encodeKey, encodeText, queryText } from '../../src/stores/s3-key.js'

t.test('keys as AWS escapes them', async (t) => {
  t.equal(encodeKey('db/m/2026/01/02/03/a_b-c.d~e.parquet'), 'db/m/2026/01/02/03/a_b-c.d~e.parquet')
  t.equal(encodeKey("a b/c+d/%/ü/!'()*"), 'a%20b/c%2Bd/%25/%C3%BC/%21%27%28%29%2A')
  t.equal(encodeText('a/b'), 'a%2Fb')
})

t.test('a listing shows spaces as pluses', async (t) => {
  for (const key of ['plain/key', 'a b', 'a+b', '50%', 'ü/\u{1F600}', "!'()*"]) {
    t.equal(decodeKey(encodeKey(key)), key)
    t.equal(decodeKey(encodeKey(key).replaceAll('%20', '+')), key)
  }
})

t.test('queries', async (t) => {
  t.equal(queryText(), '')
  t.equal(
    queryText({ uploads: null, prefix: 'a b/', none: undefined, x: ['1', '&'] }),
    'uploads&prefix=a%20b%2F&none&x=1&x=%26',
  )
})
