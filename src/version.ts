import { readFileSync } from 'node:fs'

/** The version in package.json. */
export const version: string = findVersion(import.meta.url)

/** The version of the package that this module belongs to: one in `src/`, or in `dist/src/`. @throws where there is no package.json */
export function findVersion(module: string | URL): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(place, module), 'utf8')) as { version: string }).version
    } catch {
      // dist/ holds no package.json of its own: the next place up does.
    }
  }
  throw new Error('package.json is not where it was installed')
}
