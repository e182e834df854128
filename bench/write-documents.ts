import { writeFileSync } from 'node:fs'
import { documents } from './documents/all.js'

// What in docs/ is written from the code. `npm run docs`, in the root of the repository.

for (const [path, describe] of Object.entries(documents)) writeFileSync(path, describe())
