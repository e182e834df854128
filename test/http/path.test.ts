import t from 'tap'
import { cleanPath, readPath, showPath } from '../../src/http/path.js'
import { arcBackupId, facts } from '../support/fixture.js'

t.test("paths are cleaned as Go's path.Clean does", async (t) => {
  const expected: Record<string, string> = {
    '/': '/',
    '/health/': '/health',
    '//health//': '/health',
    '/a/./b/../c': '/a/c',
    '/../a': '/a',
    '': '.',
  }
  for (const [path, clean] of Object.entries(expected)) t.equal(cleanPath(path), clean, path)
})

t.test('a target that is no URL has no path', async (t) => {
  t.equal(readPath({ path: '/a' }), '/a')
  const broken = {
    get path(): string {
      throw new TypeError('Invalid URL')
    },
  }
  t.equal(readPath(broken), null)
})

t.test('no token is shown, ids and our own names are', async (t) => {
  for (const path of ['/', '/api/v1/backup/status', `/api/v1/backup/${arcBackupId}`]) t.equal(showPath(path), path)
  for (const token of Object.values(facts.tokens)) {
    t.equal(showPath(`/api/v1/backup/${token}/x`), '/api/v1/backup/***/x')
    t.equal(showPath(`/${encodeURIComponent(`Bearer ${token}`)}`), '/***')
  }
  t.equal(showPath('/a'.repeat(1000)).length, 200)
})
