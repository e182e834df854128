import t from 'tap'
import { settingsWith } from '../../src/config/settings.js'
import { parseConfig } from '../../src/config/source.js'
import { targetNamesOf } from '../../src/config/target-names.js'

function names(toml: string, env: NodeJS.ProcessEnv = {}) {
  const { names, problems } = targetNamesOf(parseConfig(toml, 'arc.toml'), env)
  return [...names, ...problems.values()]
}

t.test('tables in the file and names for the environment, each once, in lower case', async (t) => {
  t.strictSame(names(''), [])
  t.strictSame(names('[backup.targets.Nas]\n[backup.targets.b2]\n[backup.targets.nas]\n'), ['b2', 'nas'])
  t.strictSame(names('', { ARC_BACKUP_TARGET_NAMES: ' audit, NAS ,, audit' }), ['audit', 'nas'])
  t.strictSame(names('[backup]\ntarget_names = "audit"\n[backup.targets.nas]\n'), ['audit', 'nas'])
  t.strictSame(names('[backup]\ntarget_names = "audit"\n', { ARC_BACKUP_TARGET_NAMES: 'nas' }), ['nas'])
  t.strictSame(names('[backup]\ntarget_names = 5\n'), [], 'what is no text is refused elsewhere')
  t.strictSame(targetNamesOf(null, {}).names, [])
})

t.test('a name that no variable could hold is refused, with one to write instead', async (t) => {
  t.strictSame(names('[backup]\n[backup.targets.audit-bucket]\ntype = "s3"\n'), [
    'arc.toml:2: "audit-bucket" is no name for a target, expected letters, digits and "_", at most 64: other signs cannot stand in the names of its variables; write "audit_bucket"',
  ])
  t.match(names('[backup.targets.""]'), [/^arc.toml:1: "" is no name .*; write "nas"$/])
  t.match(names('[backup.targets."a.b"]'), [/^arc.toml:1: "a.b" is no name .*; write "a_b"$/])
  t.match(names(`[backup.targets.${'x'.repeat(65)}]`), [new RegExp(`; write "${'x'.repeat(64)}"$`)])
  t.match(names('[backup.targets."a\\u001b"]'), [/"a\\u001b" is no name/])
  t.match(names('[backup]\ntarget_names = "a, b-c"\n'), ['a', /^arc.toml:2: "b-c" is no name/])
  t.match(names('', { ARC_BACKUP_TARGET_NAMES: 'b-c' }), [
    /^environment variable ARC_BACKUP_TARGET_NAMES \(backup.target_names\): "b-c" is no name/,
  ])
})

t.test('no two keys of two targets have the same variable', async (t) => {
  const fields = Object.keys(settingsWith(['x']).shape).flatMap((key) => key.split('backup.targets.x.')[1] ?? [])
  t.ok(fields.length > 15)
  for (const field of fields) {
    const ends = fields.filter((other) => other !== field && other.endsWith(`_${field}`))
    t.strictSame(ends, [], 'a name that ends like the rest of a longer key would make two of one')
  }
})
