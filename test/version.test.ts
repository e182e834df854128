import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { findVersion, version } from '../src/version.js'
import { root } from './support/root.js'

t.test('the version is that of package.json', async (t) => {
  const own = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }
  t.equal(version, own.version)
})

t.test('it is found from the source tree and from the build', async (t) => {
  const folder = pathToFileURL(t.testdir({ 'package.json': '{"version":"1.2.3"}', src: {}, dist: { src: {} } }))
  t.equal(findVersion(`${folder}/src/version.js`), '1.2.3')
  t.equal(findVersion(new URL(`${folder}/dist/src/version.js`)), '1.2.3')
})

t.test('a package without it is not whole', async (t) => {
  const folder = pathToFileURL(t.testdir({ dist: { src: { deep: {} } } }))
  t.throws(() => findVersion(`${folder}/dist/src/deep/version.js`), { message: /package\.json is not where/ })
})
