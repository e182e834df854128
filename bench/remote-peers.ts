import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { cpuSeconds } from './process-cost.js'
import type { Measured } from './report.js'
import type { RemotePlace, StoreServer } from './store-server.js'
import { runTimed } from './timed-process.js'

/** Another program that copies a folder to a store and back. */
export interface RemotePeer {
  readonly name: string
  upload(folder: string): Promise<Measured>
  /** Into an empty folder. */
  download(folder: string): Promise<Measured>
  /** Removes what was uploaded. */
  purge(): void
}

/** Those of these names that are on PATH and know such a store. */
export function findRemotePeers(names: readonly string[], server: StoreServer, place: RemotePlace): RemotePeer[] {
  const run = measureWith(server)
  return [
    ...(names.includes('rclone') && isOnPath('rclone')
      ? [8, 32].map((transfers) => rclone(run, place, transfers))
      : []),
    ...(names.includes('restic') && isOnPath('restic') && place.restic ? [restic(run, place.restic)] : []),
  ]
}

/** Runs a command to the end of `sync -f` on the folder that it reads or writes. */
type Runner = (folder: string, command: readonly string[], env: NodeJS.ProcessEnv) => Promise<Measured>

function measureWith(server: StoreServer): Runner {
  const script = 'folder=$1; shift; "$@" && sync -f "$folder"'
  return async (folder, command, env) => {
    const before = cpuSeconds(server.pid)
    const cost = await runTimed('bash', ['-c', script, 'peer', folder, ...command], env)
    return { ...cost, server: cpuSeconds(server.pid) - before }
  }
}

/** It compares the checksum that the store tells with its own after each file. */
function rclone(run: Runner, { rclone: { root, env: own } }: RemotePlace, transfers: number): RemotePeer {
  const there = `bench:${root}/rclone-${transfers}`
  // Nothing of the caller's own settings: a proxy or a certificate of theirs would count for one side only.
  const env = { PATH: process.env.PATH, RCLONE_CONFIG: '/dev/null', ...own }
  const flags = ['--transfers', String(transfers), '--checkers', String(transfers)]
  return {
    name: `rclone copy, ${transfers}`,
    upload: (folder) => run(folder, ['rclone', 'copy', folder, there, ...flags], env),
    download: (folder) => run(folder, ['rclone', 'copy', there, folder, ...flags], env),
    purge: () => void execFileSync('rclone', ['purge', there], { env }),
  }
}

function restic(run: Runner, { repository, env: own }: NonNullable<RemotePlace['restic']>): RemotePeer {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, RESTIC_PASSWORD: 'bench', ...own }
  let count = 0
  const flags = (): string[] => ['--no-cache', '--quiet', '--repo', `${repository}/restic-${count}`]
  return {
    name: 'restic backup',
    upload: async (folder) => {
      count += 1
      execFileSync('restic', [...flags(), 'init'], { env })
      const inside = ['bash', '-c', 'cd "$1"; shift; exec "$@"', 'restic', folder]
      return run(folder, [...inside, 'restic', ...flags(), 'backup', '.'], env)
    },
    download: (folder) => run(folder, ['restic', ...flags(), 'restore', 'latest', '--target', folder], env),
    // Each time it has a repository of its own; the room is given back with the server's.
    purge: () => {},
  }
}

export function emptyFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
}

function isOnPath(name: string): boolean {
  try {
    execFileSync('bash', ['-c', 'command -v "$1"', 'which', name], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
