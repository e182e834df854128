import t from 'tap'
import { parsePage } from '../../src/stores/s3-page.js'

const answer = (...elements: string[]): string =>
  `<?xml version="1.0"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${elements.join('')}</ListBucketResult>\n`

t.test('objects and folders, with what some services add to them', async (t) => {
  const xml = answer(
    '<Name>b</Name><Prefix>p/</Prefix><KeyCount>3</KeyCount><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType>',
    '<Contents><Key>p/a+b%26%0A</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;e1&quot;</ETag>',
    '<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><Size>5</Size><Owner><ID>x</ID></Owner></Contents>',
    '<Contents>\n  <Size>0</Size>\n  <Key>p/empty</Key>\n  <StorageClass>STANDARD</StorageClass></Contents>',
    '<CommonPrefixes><Prefix>p/x%2By/</Prefix></CommonPrefixes><IsTruncated>false</IsTruncated>',
  )
  t.same(parsePage(xml), {
    objects: [
      { key: 'p/a b&\n', size: 5, mtimeNs: 1767323045678000000n, etag: '"e1"' },
      { key: 'p/empty', size: 0, mtimeNs: 0n, etag: undefined },
    ],
    folders: ['p/x+y/'],
    next: undefined,
  })
})

t.test('names that are not encoded are escaped as XML', async (t) => {
  const page = parsePage(answer('<Contents><Key>a&amp;b+%41&#x4e;&#78;&lt;Key&gt;</Key><Size>1</Size></Contents>'))
  t.same(
    page?.objects.map(({ key }) => key),
    ['a&b+%41NN<Key>'],
  )
})

t.test('where the next page begins', async (t) => {
  const token = '<NextContinuationToken>a+b/=&amp;</NextContinuationToken>'
  t.equal(parsePage(answer('<IsTruncated>true</IsTruncated>', token))?.next, 'a+b/=&')
  t.equal(parsePage(answer('<IsTruncated>false</IsTruncated>', token))?.next, undefined)
  t.equal(parsePage(answer('<IsTruncated>true</IsTruncated>')), null, 'more, but from where?')
  t.same(parsePage(answer()), { objects: [], folders: [], next: undefined })
})

t.test('a page that is cut anywhere is none', async (t) => {
  const xml = answer('<Contents><Key>a</Key><Size>1</Size></Contents>').trimEnd()
  for (let length = 0; length < xml.length; length += 1) t.equal(parsePage(xml.slice(0, length)), null)
  t.equal(parsePage(`${xml}\n`)?.objects.length, 1)
})
