import { writeFileSync } from 'node:fs'
import t from 'tap'
import { readKnownDamage } from '../../src/engine/known-damage.js'
import type { Verdict } from '../../src/engine/verdicts.js'

const found = '2026-11-24T01:00:00.000Z'
const later = '2026-11-25T01:00:00.000Z'

/** @param findings of each damaged backup, and when they were found; null where the file with them is not there */
function read(folder: string, ...findings: [at: string, lines: object[] | null][]) {
  const rows = findings.map(([at, lines], index) => {
    const operation = String(index)
    if (lines) writeFileSync(`${folder}/${operation}`, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    return { at, operation } as Verdict
  })
  const verdicts = { damaged: () => rows, findingsOf: (operation: string) => `${folder}/${operation}` }
  return readKnownDamage(verdicts, 'local', 0)
}

t.test('damaged data files by their names, with the last time that they were found so', async (t) => {
  const { all, files } = await read(
    t.testdir({}),
    [
      later,
      [
        { flaw: 'damaged', path: 'data/db/a.parquet' },
        { flaw: 'damaged', path: 'metadata/arc.db' },
      ],
    ],
    [
      found,
      [
        { flaw: 'damaged', path: 'data/db/a.parquet' },
        { flaw: 'missing', path: 'data/db/b.parquet' },
        { flaw: 'damaged', path: 'data/db/c.parquet' },
      ],
    ],
  )
  t.equal(all, 0)
  t.strictSame(
    [...files],
    [
      ['db/a.parquet', Date.parse(later)],
      ['db/c.parquet', Date.parse(found)],
    ],
  )
})

t.test('what can not be told file by file is about all files', async (t) => {
  const untold: Record<string, object[] | null> = {
    'no findings': null,
    'no manifest': [{ flaw: 'damaged', path: 'manifest.json' }],
    'no list of files': [{ flaw: 'missing', path: 'manifest-files.json' }],
    'too many': Array.from({ length: 10_001 }, (_, index) => ({ flaw: 'damaged', path: `data/${index}` })),
  }
  for (const [name, lines] of Object.entries(untold)) {
    t.match(await read(t.testdir({}), [found, lines]), { all: Date.parse(found) }, name)
  }
  const folder = t.testdir({ 0: 'no JSON' })
  t.match(await read(folder, [found, null]), { all: Date.parse(found) }, 'cut short')
})
