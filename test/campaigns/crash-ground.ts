import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Azurite } from '../servers/azurite.js'
import { startMinio } from '../servers/minio.js'
import type { Owner } from '../servers/owner.js'
import { bucketPlace, containerPlace, folderPlace } from '../support/place.js'
import { program } from '../support/root.js'
import type { CrashGround, Victim } from './crash.js'

export type CrashStore = 'local' | 'minio' | 'azurite'

/** An Arc's folder, and a destination of one kind, with everything real. */
export async function makeGround(owner: Owner, folder: string, store: CrashStore): Promise<CrashGround> {
  mkdirSync(`${folder}/data`, { recursive: true })
  const { lines, ...rest } = await destination(owner, folder, store)
  configure(folder, lines)
  return { folder, files: store === 'local' ? 600 : 150, ...rest, start: () => startVictim(owner, folder) }
}

/** An Arc without tokens whose backups go there. */
export function configure(folder: string, target: readonly string[], more: readonly string[] = []): void {
  const config = [
    ...['[auth]', 'enabled = false'],
    ...['[backup]', 'host = "127.0.0.1"', 'port = 0', 'local_path = ""', 'default_target = "here"', 'lock_ttl = "4s"'],
    ...more,
    ...['[backup.targets.here]', ...target],
  ]
  writeFileSync(`${folder}/arc.toml`, config.join('\n'))
}

export async function destination(owner: Owner, folder: string, store: CrashStore) {
  if (store === 'local') {
    const root = `${folder}/backups`
    mkdirSync(root)
    return { target: folderPlace(root), uploads: () => [], lines: ['type = "local"', `local_path = "${root}"`] }
  }
  if (store === 'minio') {
    const minio = await startMinio(owner)
    const { bucket } = await minio.bucket()
    const { accessKeyId, secretAccessKey } = minio.credentials
    const lines = [
      ...['type = "s3"', `s3_bucket = "${bucket}"`, `s3_endpoint = "127.0.0.1:${minio.port}"`, 's3_use_ssl = false'],
      ...['s3_path_style = true', `s3_access_key = "${accessKeyId}"`, `s3_secret_key = "${secretAccessKey}"`],
    ]
    return { target: bucketPlace(minio, bucket), uploads: () => minio.uploads(), lines }
  }
  const azurite = await Azurite.start(owner)
  const container = await azurite.container(`c-${randomUUID()}`)
  const connection = `azure_connection_string = "${azurite.connectionString}"`
  const lines = ['type = "azure"', `azure_container = "${container.containerName}"`, connection]
  return { target: containerPlace(container), uploads: () => [], lines }
}

/** @param options of Node itself */
export async function startVictim(
  owner: Owner,
  folder: string,
  { options = [], env = {} }: { options?: readonly string[]; env?: NodeJS.ProcessEnv } = {},
): Promise<Victim> {
  const child = spawn(process.execPath, [...options, program, 'serve'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  owner.teardown(() => void child.kill('SIGKILL'))
  const url = await listening(child)
  return {
    call: async (method, path, body) => {
      // After seconds of hashing, connections may be closed that this process has not seen closed yet: `fetch` would send on one of them.
      await sleep(1)
      const answer = await fetch(`${url}/api/v1/backup${path}`, {
        method,
        ...(body !== undefined && {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      })
      return (await answer.json()) as Record<string, unknown>
    },
    pause: () => void child.kill('SIGSTOP'),
    goOn: () => void child.kill('SIGCONT'),
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}

async function listening(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('the service has no standard output')
  const lines = createInterface(child.stdout)
  for await (const line of lines) {
    const found = /"url":"([^"]+)"/.exec(line)
    if (!found?.[1]) continue
    child.stdout.resume()
    return found[1]
  }
  throw new Error('the service did not start')
}
