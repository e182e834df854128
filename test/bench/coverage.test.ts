import t from 'tap'
import { compare, type Gap } from '../../bench/coverage/gaps.js'

const source = [
  '/** Why. */',
  'export function a(b) {',
  '  if (b) throw b',
  '  throw error',
  '}',
  '',
  'throw error',
  '',
].join('\n')

t.test('lines that no test reached, but for those that are listed; a list that has rotted', async (t) => {
  const folder = t.testdir({
    src: { 'a.ts': source, 'types.ts': 'export interface A {}\n', 'never.ts': 'export const c = 1\n' },
    dist: {
      src: {
        'a.js': source,
        'types.js': 'export {};\n//# sourceMappingURL=types.js.map\n',
        'never.js': 'export const c = 1',
      },
    },
    workers: {},
  })
  const before = process.cwd()
  process.chdir(folder)
  t.teardown(() => process.chdir(before))
  const tell = (lines: readonly number[], ...gaps: Gap[]): string[] =>
    compare(new Map([['src/a.ts', lines]]), gaps).told.slice(0, -1)
  const never = 'src/never.ts:1: export const c = 1'
  t.same(tell([2, 3, 4, 7]), [never], 'neither comments nor brackets nor types')
  t.same(tell([2, 3]), ['src/a.ts:4: throw error', 'src/a.ts:7: throw error', never])
  const reason = 'nothing throws it'
  t.same(tell([2, 3], { file: 'src/a.ts', lines: ['if (b) throw b', 'throw error'], reason }), [
    'src/a.ts:7: throw error',
    never,
  ])
  t.same(tell([2, 3], { file: 'src/a.ts', lines: ['throw error'], reason }), [never], 'wherever it stands')
  const moved = { file: 'src/a.ts', lines: ['throw error', 'if (b) throw b'], reason }
  t.match(tell([2, 3, 4, 7], moved), [/^src\/a\.ts: .* lists lines that are not there: throw error if/, never])
  t.match(tell([2, 3, 4, 7], { ...moved, file: 'src/gone.ts' }), [never, /^src\/gone\.ts: .* a file that is not there/])
  t.equal(compare(new Map([['src/a.ts', [2, 3]]]), []).problems, 3)
})
