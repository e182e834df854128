import t from 'tap'
import { ServiceError } from '../../src/errors.js'
import { localFailure } from '../../src/stores/local-failure.js'

t.test('system errors have a code, a sentence and a side', async (t) => {
  const codes: Record<string, string> = {
    ENOENT: 'STORE_NOT_FOUND',
    EACCES: 'STORE_DENIED',
    ENOSPC: 'STORE_FULL',
    EIO: 'STORE_IO',
    EROFS: 'STORE_DENIED',
    ELOOP: 'PATH_UNSAFE',
  }
  for (const [system, code] of Object.entries(codes)) {
    const cause = Object.assign(new Error(`${system}: whatever`), { code: system })
    const failure = localFailure(cause, 'read', 'a/b', '/root')
    t.match(failure, {
      code,
      message: /^cannot read "a\/b" at \/root: /,
      detail: { verb: 'read', path: 'a/b', system },
    })
    t.equal(failure.cause, cause)
  }
})

t.test('what is not known is INTERNAL, what is coded already stays', async (t) => {
  t.match(localFailure(new Error('odd'), 'list', 'x', '/r'), { code: 'INTERNAL', message: /odd/ })
  t.match(localFailure('thrown text', 'list', 'x', '/r'), { code: 'INTERNAL', message: /thrown text/ })
  const own = new ServiceError('INTEGRITY', 'x')
  t.equal(localFailure(own, 'read', 'x', '/r'), own)
})
