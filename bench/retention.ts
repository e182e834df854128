import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { randomFrom } from '../test/campaigns/random.js'
import { Restic } from '../test/campaigns/restic.js'
import { differences, type Judged, judgedHistories } from '../test/campaigns/retention.js'
import { type Cleanup, runBench } from './cleanup.js'

// What prune keeps of random histories against what the real restic keeps of them. Needs restic (apt-get install restic).

const usage = `npm run retention -- [--histories 1000] [--seed N] [--record FILE]

  --record  write the histories with restic's answers there: the fixture of the test
`
const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    each: { type: 'string', default: '20' },
    most: { type: 'string', default: '60' },
    record: { type: 'string' },
    help: { type: 'boolean' },
  },
})

if (values.help) console.log(usage)
else await runBench(retention)

async function retention(cleanup: Cleanup): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'arc-backup-retention-'))
  cleanup.teardown(() => rmSync(folder, { recursive: true }))
  console.log(`seed ${values.seed}, ${Restic.version()}`)
  const judged: Judged[] = []
  let [backups, wrong] = [0, 0]
  const [histories, each, most] = [values.histories, values.each, values.most].map(Number) as [number, number, number]
  for (const one of judgedHistories(new Restic(folder), randomFrom(Number(values.seed)), { histories, each, most })) {
    judged.push(one)
    backups += one.times.length
    const different = differences(one)
    wrong += different.length > 0 ? 1 : 0
    for (const sentence of different.slice(0, 3)) console.error(sentence)
  }
  console.log(`${judged.length} histories of ${backups} backups: ${wrong} differ`)
  if (values.record) {
    const lines = judged.map((one) => JSON.stringify(one)).join(',\n')
    writeFileSync(values.record, `{ "restic": ${JSON.stringify(Restic.version())}, "histories": [\n${lines}\n] }\n`)
  }
  if (wrong > 0) throw new Error(`${wrong} of ${judged.length} histories differ`)
}
