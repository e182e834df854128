import t from 'tap'
import { cleanPath, normalizeTarget, showPath } from '../../src/http/path.js'
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

t.test('a target with a host is reduced to its path', async (t) => {
  const expected: [target: string | undefined, url: string, isValid: boolean][] = [
    ['/a?b#c', '/a?b#c', true],
    ['*', '*', true],
    ['http://x/a?b', '/a?b', true],
    ['HTTPS://user:secret@x:1/a', '/a', true],
    ['http://x', '/', true],
    ['http://[::1/a', '/', false],
    ['http://x:99999999/a', '/', false],
    ['ftp://x/a', '/', false],
    ['a', '/', false],
    [undefined, '/', false],
  ]
  for (const [target, url, isValid] of expected) {
    const request = { url: target }
    t.equal(normalizeTarget(request), isValid, String(target))
    t.equal(request.url, url, String(target))
  }
})

t.test('no token is shown, ids and our own names are', async (t) => {
  for (const path of ['/', '/api/v1/backup/status', `/api/v1/backup/${arcBackupId}`]) t.equal(showPath(path), path)
  for (const token of Object.values(facts.tokens)) {
    t.equal(showPath(`/api/v1/backup/${token}/x`), '/api/v1/backup/***/x')
    t.equal(showPath(`/${encodeURIComponent(`Bearer ${token}`)}`), '/***')
  }
  t.equal(showPath('/a'.repeat(1000)).length, 200)
})
