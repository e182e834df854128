import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const version = 'v0.0.0-20260212201848-7aac2a2c5b7c'

/**
 * The MinIO to test against: `MINIO_BIN`, or `minio` on PATH, or built once by `go install` (some minutes) into the user's cache.
 * @throws an error that names these three ways
 */
export async function minioBinary(): Promise<string> {
  const { MINIO_BIN, PATH = '', XDG_CACHE_HOME } = process.env
  if (MINIO_BIN) return MINIO_BIN
  for (const folder of PATH.split(delimiter)) {
    const file = join(folder, 'minio')
    if (folder !== '' && isProgram(file)) return file
  }
  const folder = join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'arc-backup', 'bin')
  const built = join(folder, `minio-${version}`)
  if (isProgram(built)) return built
  await mkdir(folder, { recursive: true })
  await build(folder).catch((error: unknown) => {
    const ways = 'set MINIO_BIN to a MinIO server, or put `minio` on PATH, or install Go so that it can be built'
    throw new Error(`these tests need a real MinIO server: ${ways} (${String(error)})`, { cause: error })
  })
  return built
}

/** Two test files may do this at once: each builds in a folder of its own, the last rename wins. */
async function build(folder: string): Promise<void> {
  const own = await mkdtemp(join(folder, 'building-'))
  try {
    await promisify(execFile)('go', ['install', `github.com/minio/minio@${version}`], {
      env: { ...process.env, GOBIN: own },
      maxBuffer: 1 << 26,
    })
    await rename(join(own, 'minio'), join(folder, `minio-${version}`))
  } finally {
    await rm(own, { recursive: true, force: true })
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
