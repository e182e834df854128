import { existsSync, readFileSync } from 'node:fs'
import glob from 'fast-glob'
import type { Reached } from './collect.js'

/**
 * Lines that no test reaches, and why that is so. They stand in the file as here, but for their indentation, one below the other; a line before them that is reached may be named
 * too, to tell which they are where there are several of the kind.
 */
export interface Gap {
  readonly file: string
  readonly lines: readonly string[]
  readonly reason: string
}

interface Line {
  readonly number: number
  readonly text: string
}

/** Tells by file which lines no test reached and no gap names, and which gaps name what is not there. */
export function compare(reached: Reached, gaps: readonly Gap[]): { told: string[]; problems: number } {
  const told: string[] = []
  let excused = 0
  let problems = 0
  for (const file of glob.sync(['src/**/*.{ts,tsx}', 'workers/**/*.ts'], { ignore: ['**/*.d.ts'] }).sort()) {
    const source = readFileSync(file, 'utf8').split('\n')
    const listed = new Set<number>()
    for (const { lines } of gaps.filter((gap) => gap.file === file)) {
      const numbers = placesOf(lines, source)
      for (const number of numbers) listed.add(number)
      if (numbers.length > 0) continue
      problems += 1
      told.push(`${file}: bench/coverage-gaps.json lists lines that are not there: ${lines.join(' ')}`)
    }
    const unreached = unreachedLines(file, source, reached.get(file))
    const unlisted = unreached.filter(({ number }) => !listed.has(number))
    excused += unreached.length - unlisted.length
    problems += unlisted.length
    for (const { number, text } of unlisted) told.push(`${file}:${number}: ${text}`)
  }
  for (const { file } of gaps) {
    if (existsSync(file)) continue
    problems += 1
    told.push(`${file}: bench/coverage-gaps.json lists a file that is not there`)
  }
  told.push(
    `${problems} to look at, and ${excused} lines that no test reached with their reason in bench/coverage-gaps.json`,
  )
  return { told, problems }
}

/** Numbers of the lines, wherever they stand in a file one below the other. */
function placesOf(lines: readonly string[], source: readonly string[]): number[] {
  return source.flatMap((_, start) => {
    const isThere = lines.every((line, offset) => source[start + offset]?.trim() === line)
    return isThere ? lines.map((_, offset) => start + offset + 1) : []
  })
}

function unreachedLines(file: string, source: readonly string[], reached: readonly number[] | undefined): Line[] {
  // Of a file of types nothing is loaded.
  if (!reached && !hasCode(file)) return []
  const ran = new Set(reached)
  return source
    .map((line, index) => ({ number: index + 1, text: line.trim() }))
    .filter(({ number, text }) => !ran.has(number) && isCode(text))
}

/** What is left of a file of types is nothing, or says that it exports nothing; the page's files are not built one by one. */
function hasCode(file: string): boolean {
  const built = `dist/${file.replace(/\.tsx?$/, '.js')}`
  if (!existsSync(built))
    return /^(export )?(default )?(async )?(const|let|function|class)\b/m.test(readFileSync(file, 'utf8'))
  const left = readFileSync(built, 'utf8').replace(/^(export \{\};|\/\/.*)$/gm, '')
  return left.trim() !== ''
}

/** Not a comment, nor brackets alone. */
function isCode(text: string): boolean {
  return /\w/.test(text) && !/^(\/\/|\/\*|\*)/.test(text)
}
