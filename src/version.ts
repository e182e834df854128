import { readFileSync } from 'node:fs'

/** The version in package.json, found from the source tree and from `dist/` alike. */
export const version: string = readVersion()

function readVersion(): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as { version: string }).version
    } catch {
      // dist/ holds no package.json of its own: the next place up does.
    }
  }
  throw new Error('package.json is not where it was installed')
}
