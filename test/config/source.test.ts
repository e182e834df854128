import { symlinkSync } from 'node:fs'
import t from 'tap'
import { findConfigFile, parseConfig, placeOf, readConfigFile, searchFolders } from '../../src/config/source.js'

t.test("Arc's folders, in its order", async (t) => {
  t.strictSame(searchFolders('/cwd', '/home/me'), ['/cwd', '/etc/arc', '/home/me/.arc'])
  t.strictSame(searchFolders('/cwd', ''), ['/cwd', '/etc/arc'])
  t.strictSame(searchFolders('/cwd', undefined), ['/cwd', '/etc/arc'])
})

t.test(
  'the first folder with an arc.toml wins; a folder of that name, the binary and other formats are not read',
  async (t) => {
    const folder = t.testdir({
      none: { arc: '\x7fELF', 'arc.json': '{', 'arc.yaml': 'a: b' },
      directory: { 'arc.toml': {} },
      file: 'not a folder',
      first: { 'arc.toml': 'a = 1' },
      second: { 'arc.toml': 'a = 2' },
    })
    const find = (...names: string[]) => findConfigFile(names.map((name) => `${folder}/${name}`))
    t.equal(find(), null)
    t.equal(find('none', 'missing', 'directory', 'file'), null)
    t.equal(find('none', 'missing', 'directory', 'file', 'first', 'second')?.path, `${folder}/first/arc.toml`)
    t.equal(find('second', 'first')?.values.get('a'), 2)
  },
)

t.test('a link to a file is a file; one that leads nowhere else than to itself is an error', async (t) => {
  const folder = t.testdir({ 'real.toml': 'a = 1', good: {}, loop: {} })
  symlinkSync('../real.toml', `${folder}/good/arc.toml`)
  symlinkSync('arc.toml', `${folder}/loop/arc.toml`)
  t.equal(findConfigFile([`${folder}/good`])?.path, `${folder}/good/arc.toml`)
  t.throws(() => findConfigFile([`${folder}/loop`]), {
    code: 'CONFIG_INVALID',
    message: /^cannot read the configuration file .*\/loop\/arc.toml: ELOOP/,
  })
})

t.test('a file that cannot be read', async (t) => {
  const folder = t.testdir({ 'arc.toml': {} })
  t.throws(() => readConfigFile(`${folder}/arc.toml`), { code: 'CONFIG_INVALID', message: /EISDIR/ })
})

t.test('what is not TOML is told with its line, and without its text', async (t) => {
  const wrong: [string, string][] = [
    ['a = 1\nb = \n', 'arc.toml:2: this line is not valid TOML'],
    ['a = 1\n\na = 2\n', 'arc.toml:3: this name is defined twice'],
    ['[a]\n[a]\n', 'arc.toml:2: this name is defined twice'],
    ['sentinel', 'arc.toml:1: this line is not valid TOML'],
    ['a = 9007199254740993', 'arc.toml:1: this line is not valid TOML'],
    ['\x7fELF\x02\x01', 'arc.toml:1: this line is not valid TOML'],
  ]
  for (const [toml, message] of wrong)
    t.throws(() => parseConfig(toml, 'arc.toml'), { code: 'CONFIG_INVALID', message, cause: undefined })
})

t.test('line ends and a byte order mark of Windows', async (t) => {
  const file = parseConfig('\uFEFF[a]\r\nb = 1\r\n', 'arc.toml')
  t.match(file.values.get('a'), { b: 1 })
  t.equal(placeOf(file, 'a.b'), 'arc.toml:2')
})

t.test('names are in lower case; tables that are not ours stay whole', async (t) => {
  const { values, repeated, targets } = parseConfig(
    '"Server".PORT = 1\n[BACKUP.Targets.X]\nb = 2\n[BACKUP.targets.x]\n[backup.targets."a.b".c]\nd = 1\n[Mqtt]\nc = 3\nC = 4\n[backup]\nport = 5\nPort = 6\n',
    'arc.toml',
  )
  t.strictSame([...values.keys()], ['server.port', 'backup.targets.x.b', 'backup.targets.a.b.c', 'backup.port', 'mqtt'])
  t.strictSame(targets, ['x', 'a.b'])
  t.strictSame(repeated, ['backup.port'])
})

t.test('the place of a name is its line, that of its table, or the file', async (t) => {
  const file = parseConfig('\n[a]\nb = 1\n', 'arc.toml')
  t.strictSame(
    ['a.b', 'a.c', 'd.e'].map((name) => placeOf(file, name)),
    ['arc.toml:3', 'arc.toml:2', 'arc.toml'],
  )
})
