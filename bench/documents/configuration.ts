import type { z } from 'zod'
import { type Meaning, meanings, meaningsOfStores, meaningsOfTargets } from '../../src/config/meanings.js'
import { settings, targetFields, variableOf } from '../../src/config/settings.js'

const opening = `# Configuration

<!-- Written by \`npm run docs\` from src/config/settings.ts and src/config/meanings.ts. -->

Arc's own \`arc.toml\` is read where Arc looks for it (\`.\`, \`/etc/arc\`, \`$HOME/.arc\`), or from \`--config FILE\`. Each key can be given as a variable too, which wins: \`ARC_BACKUP_PORT\` is
\`backup.port\`, \`ARC_BACKUP_TARGETS_OFFSITE_S3_BUCKET\` is \`s3_bucket\` of the target \`offsite\`. Relative paths start at the working directory. A wrong value is an error at start that names the file,
the line, the key and what was expected; a key that is not known but much like one is a warning. [arc.toml](../arc.toml) is a sample that works as it is.

All keys outside of \`[backup]\` are Arc's own, with Arc's defaults; those that are not here are left to Arc.
`

/** `docs/configuration.md`: every key that is read. */
export function describeConfiguration(): string {
  const byTable = new Map<string, string[]>()
  for (const [key, schema] of Object.entries(settings.shape)) {
    const at = key.lastIndexOf('.')
    const [table, name] = [key.slice(0, at), key.slice(at + 1)]
    const meaning = (meanings as Record<string, Meaning>)[key] ?? (meaningsOfStores as Record<string, Meaning>)[name]
    if (!meaning) throw new Error(`src/config/meanings.ts has no ${key}`)
    byTable.set(table, [...(byTable.get(table) ?? []), row(name, schema, meaning)])
  }
  const ofTargets: Readonly<Record<string, Meaning>> = { ...meaningsOfTargets, ...meaningsOfStores }
  const target = Object.entries(targetFields).flatMap(([name, schema]) =>
    ofTargets[name] ? [row(name, schema, ofTargets[name])] : [],
  )
  const tables = [...byTable].map(([table, rows]) => section(`[${table}]`, rows))
  const targets = section(
    '[backup.targets.<name>]',
    target,
    `A named place for backups; \`${variableOf('backup.targets.<name>.type')}\` is the variable of the first.\n`,
  )
  return [opening, ...tables, targets].join('\n')
}

function section(title: string, rows: readonly string[], before = ''): string {
  const head = ['| Key | What it is | Must be | Default | Example |', '|---|---|---|---|---|']
  return [`## \`${title}\``, '', ...(before ? [before] : []), ...head, ...rows, ''].join('\n')
}

function row(name: string, schema: z.ZodType, { is, example, otherwise }: Meaning): string {
  const cells = [
    `\`${name}\``,
    is,
    expectedOf(schema),
    otherwise === undefined ? defaultOf(schema) : /^["\d]/.test(otherwise) ? `\`${otherwise}\`` : otherwise,
    `\`${example}\``,
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

/** What the schema says to a value that is nothing it knows. */
function expectedOf(schema: z.ZodType): string {
  return schema.safeParse(Number.NaN).error?.issues[0]?.message ?? ''
}

function defaultOf(schema: z.ZodType): string {
  const value = schema.parse(undefined)
  if (value === undefined || value === '' || value === null) return 'not set'
  return `\`${JSON.stringify(value)}\``
}
