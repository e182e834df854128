import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Arc } from './arc.js'
import type { ProcessCost } from './timed-process.js'
import { runTimed } from './timed-process.js'

/** Another program that copies a folder, on this machine; each step ends with the same `sync -f`. Costs are from its start to the end of that. */
export interface Peer {
  readonly name: string
  /** Into a fresh place below `home`. */
  first(source: string, home: string): Promise<ProcessCost>
  /** Again, beside what `first` left there, of the same files; absent where it has no such way. */
  second?(source: string, home: string): Promise<ProcessCost>
  /** What `first` left, into the empty folder `into`. */
  restore(source: string, home: string, into: string): Promise<ProcessCost>
  /** Folder in which `first` left the files as they were; null where it keeps them in a way of its own. */
  copyOf(home: string): string | null
}

/** Those of these names that are to be had here. @throws for a name that is none */
export function findPeers(names: readonly string[]): Peer[] {
  return names.flatMap((name) => {
    const known = makers[name]
    if (!known) throw new Error(`unknown peer "${name}": expected some of ${Object.keys(makers).join(', ')}`)
    return known.isHere() ? known.make() : []
  })
}

/** `cp 9.1`, for a report. */
export function versionsOf(names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const known = makers[name]
    return known?.isHere() && known.version ? [firstLine(known.version)] : []
  })
}

/** The least that this can take in Node. */
const bareCopy = `"${process.execPath}" "${fileURLToPath(new URL('bare-copy.js', import.meta.url))}"`

interface Maker {
  isHere(): boolean
  /** A command that tells it. */
  readonly version?: string
  make(): Peer[]
}

const makers: Readonly<Record<string, Maker>> = {
  cp: onPath('cp', 'cp --version', () => [
    {
      name: 'cp -r',
      first: (source, home) => timed('cp -r "$1" "$2/first"', source, home),
      second: (source, home) => timed('cp -rl "$2/first" "$2/second"', source, home),
      restore: (source, home, into) => timed('cp -r "$2/first/." "$3"', source, home, into),
      copyOf: (home) => `${home}/first`,
    },
  ]),
  rsync: onPath('rsync', 'rsync --version', () => [
    {
      name: 'rsync -a',
      first: (source, home) => timed('rsync -a "$1/" "$2/first/"', source, home),
      second: (source, home) => timed('rsync -a --link-dest="$2/first" "$1/" "$2/second/"', source, home),
      restore: (source, home, into) => timed('rsync -a "$2/first/" "$3/"', source, home, into),
      copyOf: (home) => `${home}/first`,
    },
  ]),
  rclone: onPath('rclone', 'rclone version', () =>
    [8, 32].map((transfers) => {
      const rclone = `rclone --config /dev/null copy --checksum --transfers ${transfers} --checkers ${transfers}`
      return {
        name: `rclone copy, ${transfers}`,
        first: (source, home) => timed(`${rclone} "$1" "$2/first"`, source, home),
        restore: (source, home, into) => timed(`${rclone} "$2/first" "$3"`, source, home, into),
        copyOf: (home) => `${home}/first`,
      }
    }),
  ),
  restic: onPath('restic', 'restic version', () => {
    const restic = 'restic --no-cache --quiet --repo "$2/repository"'
    return [
      {
        name: 'restic backup',
        first: async (source, home) => {
          mkdirSync(home, { recursive: true })
          execFileSync('bash', ['-c', `${restic} init`, 'peer', source, home], { env })
          return timed(`cd "$1"; ${restic} backup .`, source, home)
        },
        second: (source, home) => timed(`cd "$1"; ${restic} backup .`, source, home),
        restore: (source, home, into) => timed(`${restic} restore latest --target "$3"`, source, home, into),
        copyOf: () => null,
      },
    ]
  }),
  bare: {
    isHere: () => true,
    make: () => [
      {
        name: 'bare copy and hash',
        first: (source, home) => timed(`${bareCopy} "$1" "$2/first"`, source, home),
        restore: (source, home, into) => timed(`${bareCopy} "$2/first" "$3"`, source, home, into),
        copyOf: (home) => `${home}/first`,
      },
    ],
  },
  arc: { isHere: () => Arc.program !== undefined && existsSync(Arc.program), make: () => [arc()] },
}

function arc(): Peer {
  const [backups, own] = [(home: string) => `${home}/backups`, (home: string) => `${home}/arc`]
  const folderOf = (home: string): string => `${backups(home)}/${readdirSync(backups(home))[0]}`
  const within = async (
    home: string,
    storage: string,
    action: (arc: Arc) => Promise<ProcessCost>,
  ): Promise<ProcessCost> => {
    const arc = await Arc.start(own(home), storage, backups(home))
    try {
      const cost = await action(arc)
      const began = performance.now()
      await promisify(execFile)('sync', ['-f', home])
      return { ...cost, wall: cost.wall + (performance.now() - began) / 1000 }
    } finally {
      await arc.stop()
    }
  }
  return {
    name: 'Arc itself',
    first: (source, home) => within(home, source, (arc) => arc.backUp()),
    restore: (_, home, into) =>
      within(home, into, (arc) => arc.restore(folderOf(home).slice(backups(home).length + 1))),
    copyOf: (home) => `${folderOf(home)}/data`,
  }
}

function onPath(name: string, version: string, make: () => Peer[]): Maker {
  return { isHere: () => firstLine(`command -v ${name}`) !== '', version, make }
}

const env = { PATH: process.env.PATH, HOME: process.env.HOME, RESTIC_PASSWORD: 'bench' }

async function timed(script: string, source: string, home: string, into = home): Promise<ProcessCost> {
  mkdirSync(home, { recursive: true })
  return runTimed('bash', ['-c', `set -e; ${script}; sync -f "$2"`, 'peer', source, home, into], env)
}

/** Of what a command says; '' where it fails. */
function firstLine(command: string): string {
  try {
    return execFileSync('bash', ['-c', command], { encoding: 'utf8' }).split('\n')[0] ?? ''
  } catch {
    return ''
  }
}
