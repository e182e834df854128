import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Json } from './service.js'

export interface Sidecar {
  readonly files: Json[]
  readonly other_files: Json[]
}

/** A manifest that vouches for whatever the list of files is now: for damage that no checksum shows. */
export function sealAnew(backup: string, change: (sidecar: Sidecar) => void): void {
  const path = `${backup}/manifest-files.json`
  const sidecar = JSON.parse(readFileSync(path, 'utf8')) as Sidecar
  change(sidecar)
  const text = JSON.stringify(sidecar)
  writeFileSync(path, text)
  const { checksum: _, ...manifest } = JSON.parse(readFileSync(`${backup}/manifest.json`, 'utf8')) as Json
  const entries = sidecar.files.length + sidecar.other_files.length
  manifest.sidecar = { path: 'manifest-files.json', sha256: sha256(text), entries }
  const sealed = { ...manifest, checksum: sha256(JSON.stringify(manifest, null, 2)) }
  writeFileSync(`${backup}/manifest.json`, JSON.stringify(sealed, null, 2))
}

/** The same where a file of the backup has new content, as if the source had had it. */
export function replaceSealed(backup: string, path: string, content: Buffer | string): void {
  writeFileSync(`${backup}/${path}`, content)
  sealAnew(backup, ({ files, other_files: others }) => {
    const entry = path.startsWith('data/')
      ? files.find((file) => `data/${file.path}` === path)
      : others.find((file) => file.path === path)
    if (!entry) throw new Error(`the backup has no ${path}`)
    Object.assign(entry, { size_bytes: Buffer.byteLength(content), sha256: sha256(content) })
  })
}

function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex')
}
