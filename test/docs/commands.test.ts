import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { freePort } from '../servers/port.js'
import { adminToken, copyFixture } from '../support/fixture.js'
import { program, root } from '../support/root.js'
import { type Block, blocksOf } from './commands.js'

// Every command in the documents is run, in order, in a copy of Arc's folder; or it says that it is not, or what runs it instead.

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'ARCHITECTURE.md',
  ...readdirSync(`${root}docs`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

for (const page of pages) {
  const markdown = readFileSync(root + page, 'utf8')
  t.test(page, async (t) => {
    const blocks = blocksOf(markdown)
    for (const { line, mark } of blocks) {
      if (mark?.kind === 'tried by') t.ok(existsSync(root + mark.note), `line ${line}: there is a ${mark.note}`)
    }
    for (const [, link = ''] of markdown.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      t.ok(existsSync(new URL(link, `file://${root}${page}`)), `there is a ${link}`)
    }
    const run = blocks.filter(({ mark }) => mark === null)
    if (run.length > 0) await runAll(t, run)
  })
}

/** One shell for all blocks, as a reader would have it. */
async function runAll(t: Test, blocks: readonly Block[]): Promise<void> {
  const folder = t.testdir({})
  copyFixture(folder)
  mkdirSync(`${folder}/bin`)
  writeFileSync(`${folder}/bin/arc-backup`, `#!/bin/sh\nexec ${process.execPath} ${program} "$@"\n`)
  chmodSync(`${folder}/bin/arc-backup`, 0o755)
  const port = String(await freePort())
  const script = [
    'set -euo pipefail',
    // What was started in the background ends with the shell.
    "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT",
    ...blocks.map(({ line, text }) => `echo "# line ${line}" >&2\n${text.replaceAll('8010', port)}`),
  ]
  const env = {
    PATH: `${folder}/bin:${process.env.PATH}`,
    HOME: folder,
    ARC_TOKEN: adminToken,
    ARC_BACKUP_HOST: '127.0.0.1',
  }
  const child = spawn('bash', ['-c', script.join('\n')], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      output += text
    })
  }
  const [code] = await once(child, 'close')
  t.equal(code, 0, `all of it is done:\n${output.slice(-3000)}`)
}

t.test('what is no marked block is found', async (t) => {
  t.throws(() => blocksOf('a\n\n    rm x\n'), /line 3: an indented block/)
  t.throws(() => blocksOf('```\nrm x\n```\n'), /without a language/)
  t.throws(() => blocksOf('```sh\nrm x\n'), /without an end/)
  t.same(blocksOf('<!-- untried: it would be long -->\n```sh\na\nb\n```\n```text\nc\n```\n```sh\nd\n```'), [
    { line: 2, text: 'a\nb', mark: { kind: 'untried', note: 'it would be long' } },
    { line: 9, text: 'd', mark: null },
  ])
  t.same(blocksOf('<!-- tried by .ci/run -->\n```sh\na\n```')[0]?.mark, { kind: 'tried by', note: '.ci/run' })
})
