import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'

/** Files of one size in Arc's layout. */
export interface FileSet {
  readonly name: string
  readonly files: number
  /** Bytes of each. */
  readonly size: number
}

export const sets: readonly FileSet[] = [
  { name: 'small', files: 20_000, size: 16 << 10 },
  { name: 'medium', files: 2000, size: 1 << 20 },
  { name: 'large', files: 16, size: 256 << 20 },
  { name: 'million', files: 1_000_000, size: 1024 },
]

/** The same for stores that are not on disk, where everything takes longer. */
export const remoteSets: readonly FileSet[] = [
  { name: 'small', files: 20_000, size: 16 << 10 },
  { name: 'medium', files: 500, size: 1 << 20 },
  { name: 'large', files: 4, size: 256 << 20 },
]

const filesPerHour = 15

/** Writes a set: each file begins with its number, the rest is random and the same for all. @param name what its databases' names begin with */
export function writeSet(root: string, { files, size }: FileSet, name = 'db'): void {
  const content = randomBytes(size)
  for (let index = 0; index < files; index += 1) {
    const hour = Math.floor(index / filesPerHour)
    const [database, measurement] = [`${name}${hour % 3}`, `m${hour % 7}`]
    const time = new Date(Date.UTC(2026, 0, 1, Math.floor(hour / 21))).toISOString()
    const at = `${root}/${database}/${measurement}/${time.slice(0, 10).replaceAll('-', '/')}/${time.slice(11, 13)}`
    if (index % filesPerHour === 0) mkdirSync(at, { recursive: true })
    content.writeUInt32LE(index, 0)
    writeFileSync(
      `${at}/${measurement}_${time.slice(0, 10).replaceAll('-', '')}_000000_${String(index).padStart(9, '0')}.parquet`,
      content,
    )
  }
}
