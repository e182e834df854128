import { writeFileSync } from 'node:fs'
import t from 'tap'
import { abortUploads, readUploads } from '../../src/engine/uploads.js'
import type { Store } from '../../src/stores/store.js'

t.test('what has an id goes by it; what has none goes by its path, but never in Arc’s own storage', async (t) => {
  const file = `${t.testdir({})}/uploads.jsonl`
  const lines = [
    { store: 'target:x', path: 'a', uploadId: '' },
    { store: 'target:x', path: 'a', uploadId: '1' },
    { store: 'target:x', path: 'b', uploadId: '' },
    { store: 'storage', path: 'c', uploadId: '' },
    { store: 'storage', path: 'd', uploadId: '2' },
  ]
  writeFileSync(file, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"store":"targ`)
  t.same(readUploads(file), lines, 'a line that was cut off belongs to an upload that had not begun')
  const aborted: string[] = []
  const storeOf = (name: string): Store =>
    ({
      abortUpload: async ({ path, uploadId }) => void aborted.push(`${name} ${path} ${uploadId}`),
    }) as Pick<Store, 'abortUpload'> as Store
  await abortUploads(file, storeOf)
  t.same(aborted, ['target:x a 1', 'storage d 2', 'target:x b '])
})
