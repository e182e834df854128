import { writeFileSync } from 'node:fs'
import t from 'tap'
import { notesOn } from '../../src/engine/upload-notes.js'
import { abortUploads, openUploads } from '../../src/engine/uploads.js'
import { ServiceError } from '../../src/errors.js'
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
  t.same(openUploads(file), [lines[1], lines[2], lines[4]], 'a cut line belongs to an upload that had not begun')
  const { aborted, storeOf } = aborting()
  await abortUploads(file, storeOf)
  t.same(aborted, ['target:x a 1', 'target:x b ', 'storage d 2'])
})

t.test('what was seen to end is not asked for again', async (t) => {
  const file = `${t.testdir({})}/uploads.jsonl`
  const { onUpload, beforeUpload, onUploadEnd } = notesOn(file, 'target:x')
  for (const [path, uploadId] of [
    ['whole', '1'],
    ['left', '2'],
    ['left', '3'],
    ['refused', '4'],
  ] as const) {
    await beforeUpload(path)
    await onUpload({ path, uploadId })
    if (uploadId === '1' || uploadId === '3') await onUploadEnd({ path, uploadId })
  }
  const { aborted, storeOf } = aborting('refused')
  await t.rejects(abortUploads(file, storeOf), { code: 'STORE_DENIED' })
  t.same(aborted, ['target:x left 2'])
  t.match(openUploads(file), [{ path: 'refused', uploadId: '4' }])
})

function aborting(refused?: string): { aborted: string[]; storeOf: (name: string) => Store } {
  const aborted: string[] = []
  const storeOf = (name: string): Store =>
    ({
      abortUpload: async ({ path, uploadId }) => {
        if (path === refused) throw new ServiceError('STORE_DENIED', 'no')
        aborted.push(`${name} ${path} ${uploadId}`)
      },
    }) as Pick<Store, 'abortUpload'> as Store
  return { aborted, storeOf }
}
