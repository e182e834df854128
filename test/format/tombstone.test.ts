import t from 'tap'
import { readTombstone, serializeTombstone } from '../../src/format/tombstone.js'

t.test('what is written is read back; a manifest, or anything else, is none', async (t) => {
  const since = new Date('2026-01-02T03:04:05.678Z')
  const text = serializeTombstone(since)
  t.equal(readTombstone(Buffer.from(text)), since.getTime())
  const others = [
    '',
    '{}',
    'null',
    '{"tombstone":false}',
    '{"tombstone":true',
    '"tombstone"',
    '{"backup_id":"tombstone"}',
  ]
  for (const other of others) t.equal(readTombstone(Buffer.from(other)), null, other)
  t.equal(readTombstone(Buffer.from(text.trim() + ' '.repeat(200))), null, 'one that is so large is none')
})
