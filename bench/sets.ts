import { createCipheriv } from 'node:crypto'
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
/** Who keeps equal parts of files only once finds none: each part of so many bytes begins with its file's number. */
const stampEvery = 64 << 10

/** Writes a set, the same bytes each time. @param name what its databases' names begin with */
export function writeSet(root: string, { files, size }: FileSet, name = 'db'): void {
  const content = seededBytes(size)
  for (let index = 0; index < files; index += 1) {
    const { folder, file } = placeOf(index, name)
    if (index % filesPerHour === 0) mkdirSync(`${root}/${folder}`, { recursive: true })
    for (let at = 0; at + 4 <= size; at += stampEvery) content.writeUInt32LE(index, at)
    writeFileSync(`${root}/${folder}/${file}`, content)
  }
}

/** Where in a set a file is: folders as Arc makes them, a name as Arc gives it. */
export function placeOf(index: number, name = 'db'): { folder: string; file: string } {
  const hour = Math.floor(index / filesPerHour)
  const measurement = `m${hour % 7}`
  const time = new Date(Date.UTC(2026, 0, 1, Math.floor(hour / 21))).toISOString()
  const [day, hours] = [time.slice(0, 10), time.slice(11, 13)]
  return {
    folder: `${name}${hour % 3}/${measurement}/${day.replaceAll('-', '/')}/${hours}`,
    file: `${measurement}_${day.replaceAll('-', '')}_000000_${String(index).padStart(9, '0')}.parquet`,
  }
}

/** Bytes that no compression makes fewer, and that are the same each time. */
function seededBytes(size: number): Buffer {
  return createCipheriv('aes-256-ctr', Buffer.alloc(32, 'seed'), Buffer.alloc(16)).update(Buffer.alloc(size))
}
