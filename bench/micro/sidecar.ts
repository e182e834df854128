import { createReadStream, statSync, writeFileSync } from 'node:fs'
import { selectEntries } from '../../src/engine/selection.js'
import { parseSidecar, SidecarWriter } from '../../src/format/sidecar.js'
import { placeOf } from '../sets.js'
import type { MakePart } from './part.js'

const files = 100_000

/** The list of files of a backup: made, read as a thread reads it, and read in any writer's hand. */
export const sidecar: MakePart = (folder) => {
  const file = `${folder}/manifest-files.json`
  const write = (): string => {
    const writer = new SidecarWriter()
    const parts = [writer.header()]
    for (let index = 0; index < files; index += 1) {
      const { folder: at, file: name } = placeOf(index)
      const [database = '', measurement = ''] = at.split('/')
      const entry = { database, measurement, size_bytes: 16 << 10, sha256: 'a'.repeat(64) }
      parts.push(writer.file({ ...entry, path: `${at}/${name}`, source_mtime_ns: '1700000000000000000' }))
    }
    return [...parts, writer.startOther(), writer.footer()].join('')
  }
  writeFileSync(file, write())
  const check = (entries: number): void => {
    if (entries !== files) throw new Error(`${entries} entries were read, not ${files}`)
  }
  return [
    { name: 'list of files, written', files, run: () => void write() },
    {
      name: 'list of files, read by lines',
      files,
      run: () => {
        const rules = { data: true, excluded: [] }
        check(selectEntries({ kind: 'select', file, start: 0, end: statSync(file).size, rules }).entries)
      },
    },
    {
      name: 'list of files, read as JSON',
      files,
      run: async () => {
        let entries = 0
        for await (const batch of parseSidecar(createReadStream(file))) entries += batch.length
        check(entries)
      },
    },
  ]
}
