import { readFileSync } from 'node:fs'
import t from 'tap'
import { documents } from '../../bench/documents/all.js'
import { meanings, meaningsOfStores, meaningsOfTargets } from '../../src/config/meanings.js'
import { settings, targetFields } from '../../src/config/settings.js'
import { parseConfig } from '../../src/config/source.js'
import { root } from '../support/root.js'

t.test('what is written from the code is what the code says', async (t) => {
  for (const [path, describe] of Object.entries(documents)) {
    const kept = readFileSync(`${root}${path}`, 'utf8')
    t.ok(kept === describe(), `npm run docs writes ${path}`)
  }
})

t.test('every example of a key is a value that it takes, every default in words is the one that holds', async (t) => {
  const own = Object.entries(meanings).map(
    ([key, meaning]) => [key, settings.shape[key as keyof typeof meanings], meaning] as const,
  )
  const ofTargets = Object.entries({ ...meaningsOfTargets, ...meaningsOfStores }).map(
    ([key, meaning]) => [key, targetFields[key as keyof typeof meaningsOfTargets], meaning] as const,
  )
  for (const [key, schema, { example, otherwise }] of [...own, ...ofTargets]) {
    const read = (text: string): unknown =>
      parseConfig(`[server]\nport = ${text}`, 'arc.toml').values.get('server.port')
    t.ok(schema.safeParse(read(example)).success, `${key} = ${example}`)
    // A default in words depends on the machine; one of a key that is not set is the engine's.
    if (otherwise?.startsWith('"'))
      t.same(schema.parse(read(otherwise)), schema.parse(undefined), `${key}: ${otherwise}`)
  }
})
