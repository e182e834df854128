const part = String.raw`(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')`
const name = String.raw`${part}(?:\s*\.\s*${part})*`
const heading = new RegExp(String.raw`^\s*\[{1,2}\s*(${name})\s*\]`)
const assignment = new RegExp(String.raw`^\s*(${name})\s*=\s*(.*)$`)
const parts = new RegExp(part, 'g')
const longQuote = /^("""|''')/

/** On which lines (from 1) of a TOML text its names stand; names are dotted and in lower case, a table stands where it or something in it does first. */
export function linesOf(toml: string): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>()
  let table: string[] = []
  let openQuote: string | undefined
  for (const [index, line] of toml.split(/\r?\n/).entries()) {
    if (openQuote !== undefined) {
      if (line.includes(openQuote)) openQuote = undefined
      continue
    }
    const [, opened] = heading.exec(line) ?? []
    const [, assigned, value = ''] = assignment.exec(line) ?? []
    if (opened !== undefined) {
      table = namesIn(opened)
      note(found, table, index + 1)
    } else if (assigned !== undefined) {
      note(found, [...table, ...namesIn(assigned)], index + 1)
      const quote = longQuote.exec(value)?.[0]
      if (quote !== undefined && !value.slice(quote.length).includes(quote)) openQuote = quote
    }
  }
  return found
}

function namesIn(dotted: string): string[] {
  return (dotted.match(parts) ?? []).map((one) => one.replace(/^["'](.*)["']$/, '$1').toLowerCase())
}

function note(found: Map<string, number[]>, names: string[], line: number): void {
  for (const depth of names.keys()) {
    const key = names.slice(0, depth + 1).join('.')
    const lines = found.get(key)
    if (!lines) found.set(key, [line])
    else if (depth === names.length - 1 && !lines.includes(line)) lines.push(line)
  }
}
