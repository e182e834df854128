import t from 'tap'
import { type Marker, readMarker, serializeMarker } from '../../src/format/marker.js'

const marker: Marker = { instance: 'i', operation: 'o', kind: 'delete', host: 'h', since: '2026-01-02T03:04:05Z' }

t.test('what is written is read back, and no more', async (t) => {
  t.same(readMarker(Buffer.from(serializeMarker(marker))), marker)
  t.same(readMarker(Buffer.from(serializeMarker({ ...marker, more: 1 } as Marker))), marker)
})

t.test('what does not say whose the folder is, is no marker: nothing may be swept for it', async (t) => {
  const bad = ['', 'x', 'null', '[]', '7', '{}', '{"kind":"backup"}']
  for (const key of ['instance', 'operation', 'host', 'since', 'kind'])
    bad.push(JSON.stringify({ ...marker, [key]: 7 }))
  bad.push(JSON.stringify({ ...marker, kind: 'restore' }))
  for (const text of bad) t.throws(() => readMarker(Buffer.from(text)), { code: 'MANIFEST_INVALID' }, text)
})
