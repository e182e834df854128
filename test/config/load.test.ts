import t from 'tap'
import { loadConfig } from '../../src/config/load.js'

t.test('an empty file gives the defaults', async (t) => {
  const cwd = t.testdir({ 'arc.toml': '' })
  const config = loadConfig({ cwd, env: {} })
  t.equal(config.server.port, 8000)
  t.equal(config.storage.localPath, `${cwd}/data/arc`)
  t.strictSame(config.warnings, [])
})
