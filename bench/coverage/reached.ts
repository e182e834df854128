import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Reached } from './collect.js'

const path = '.cache/coverage.json'

/** What all runs since the last `forget` reached, by file; of a file that has changed since nothing is known, since its lines have moved. */
interface Remembered {
  readonly [file: string]: { readonly sha256: string; readonly lines: readonly number[] }
}

const hashOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')

export function forget(): void {
  rmSync(path, { force: true })
}

export function readReached(): Reached {
  if (!existsSync(path)) return new Map()
  const remembered = Object.entries(JSON.parse(readFileSync(path, 'utf8')) as Remembered)
  return new Map(
    remembered.flatMap(([file, { sha256, lines }]) =>
      existsSync(file) && hashOf(file) === sha256 ? [[file, lines]] : [],
    ),
  )
}

/** Adds what a run reached. */
export function remember(reached: Reached): void {
  const merged = new Map(readReached())
  for (const [file, lines] of reached) merged.set(file, [...new Set([...(merged.get(file) ?? []), ...lines])])
  const remembered: Remembered = Object.fromEntries(
    [...merged]
      .sort()
      .map(([file, lines]) => [file, { sha256: hashOf(file), lines: [...lines].sort((a, b) => a - b) }]),
  )
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, JSON.stringify(remembered))
}
