import { createHash, hash, randomBytes } from 'node:crypto'
import type { MakePart } from './part.js'

const [small, large] = [16 << 10, 1 << 20]

/** SHA-256: of small files in one go, of a large one block by block. */
export const hashing: MakePart = () => {
  const content = randomBytes(large)
  const files = 20_000
  const blocks = 512
  return [
    {
      name: 'hashing, 16 KiB',
      files,
      bytes: files * small,
      run: () => {
        for (let index = 0; index < files; index += 1) hash('sha256', content.subarray(0, small), 'hex')
      },
    },
    {
      name: 'hashing, 512 MiB',
      files: 1,
      bytes: blocks * large,
      run: () => {
        const sha256 = createHash('sha256')
        for (let block = 0; block < blocks; block += 1) sha256.update(content)
        sha256.digest('hex')
      },
    },
  ]
}
