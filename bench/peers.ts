import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import type { Cost } from './stage.js'
import { runTimed } from './timed-process.js'

/** Another program that copies a folder, on this machine; each step ends with the same `sync -f`. Costs are from its start to the end of that. */
export interface Peer {
  readonly name: string
  /** Into a fresh place below `home`. */
  first(source: string, home: string): Promise<Cost>
  /** Again, beside what `first` left there, of the same files; absent where it has no such way. */
  second?(source: string, home: string): Promise<Cost>
}

/** Those that are on PATH, of these names. @throws for a name that is none */
export function findPeers(names: readonly string[]): Peer[] {
  return names.flatMap((name) => {
    const make = makers[name]
    if (!make) throw new Error(`unknown peer "${name}": expected some of ${Object.keys(makers).join(', ')}`)
    return isOnPath(name) ? make() : []
  })
}

const makers: Readonly<Record<string, () => Peer[]>> = {
  cp: () => [
    {
      name: 'cp -r',
      first: (source, home) => timed('cp -r "$1" "$2/first"', source, home),
      second: (_, home) => timed('cp -rl "$2/first" "$2/second"', '', home),
    },
  ],
  rsync: () => [
    {
      name: 'rsync -a',
      first: (source, home) => timed('rsync -a "$1/" "$2/first/"', source, home),
      second: (source, home) => timed('rsync -a --link-dest="$2/first" "$1/" "$2/second/"', source, home),
    },
  ],
  rclone: () =>
    [8, 32].map((transfers) => ({
      name: `rclone copy, ${transfers}`,
      first: (source, home) =>
        timed(
          `rclone --config /dev/null copy "$1" "$2/first" --checksum --transfers ${transfers} --checkers ${transfers}`,
          source,
          home,
        ),
    })),
  restic: () => [
    {
      name: 'restic backup',
      first: async (source, home) => {
        execFileSync('restic', [...restic(home), 'init', '--quiet'], { env })
        return timed(`restic ${restic('$2').join(' ')} backup --quiet "$1"`, source, home)
      },
      second: (source, home) => timed(`restic ${restic('$2').join(' ')} backup --quiet "$1"`, source, home),
    },
  ],
}

const env = { PATH: process.env.PATH, HOME: process.env.HOME, RESTIC_PASSWORD: 'bench' }

function restic(home: string): string[] {
  return ['--no-cache', '--repo', `${home}/repository`]
}

async function timed(script: string, source: string, home: string): Promise<Cost> {
  mkdirSync(home, { recursive: true })
  const cost = await runTimed('bash', ['-c', `set -e; ${script}; sync -f "$2"`, 'peer', source, home], env)
  // The memory that is seen is that of the shell.
  return { ...cost, memory: 0, server: 0 }
}

function isOnPath(name: string): boolean {
  try {
    execFileSync('bash', ['-c', 'command -v "$1"', 'which', name])
    return true
  } catch {
    return false
  }
}
