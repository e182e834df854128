/** A fenced block of shell commands in a document. */
export interface Block {
  readonly line: number
  readonly text: string
  /** Why it is not run here, or which file or script tries it instead; null where it is run. */
  readonly mark: { readonly kind: 'untried' | 'tried by'; readonly note: string } | null
}

/**
 * The shell blocks of a document, in order. The line before one may be a mark: `<!-- untried: WHY -->`, or `<!-- tried by WHAT -->` for what another test
 * or script of the repository runs.
 *
 * @throws for a block that could be commands and is not said to be: one that is indented, or has no language
 */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = []
  const lines = markdown.split('\n')
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? ''
    if (/^ {4}\S/.test(line) && lines[index - 1] === '')
      throw new Error(`line ${index + 1}: an indented block, expected a fence`)
    const language = /^```(.*)$/.exec(line)?.[1]
    if (language === undefined) continue
    if (language === '') throw new Error(`line ${index + 1}: a fence without a language`)
    const end = lines.indexOf('```', index + 1)
    if (end < 0) throw new Error(`line ${index + 1}: a fence without an end`)
    if (language === 'sh')
      blocks.push({ line: index + 1, text: lines.slice(index + 1, end).join('\n'), mark: markOf(lines[index - 1]) })
    index = end
  }
  return blocks
}

function markOf(line = ''): Block['mark'] {
  const [, kind, note = ''] = /^<!-- (untried|tried by):? (.+) -->$/.exec(line) ?? []
  return kind === 'untried' || kind === 'tried by' ? { kind, note } : null
}
