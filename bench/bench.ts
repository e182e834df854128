import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { type Cleanup, runBench } from './cleanup.js'
import { measureDistance } from './distance.js'
import { measureLargeMemory } from './large-memory.js'
import { measureLatency } from './latency.js'
import { measureBandwidth, measureFlights, measureMemoryLimit } from './limits.js'
import { measureBesidePeers } from './local.js'
import { mountLoopDisk } from './loop-disk.js'
import { describeMachine } from './machine.js'
import { measureMemory } from './memory.js'
import { makeFolder } from './memory-disk.js'
import { measureParts } from './micro/parts.js'
import { findPeers, versionsOf } from './peers.js'
import { measureOnStore } from './remote.js'
import { type Section, writeReport } from './report.js'
import { type FileSet, remoteSets, sets } from './sets.js'
import { isStoreKind, type StoreKind } from './store-server.js'

// How long do our backup and our restore take, and what do they cost, beside what else copies the same files? See README.md.

const usage = `npm run bench -- [WHAT…] [--store local,minio,azurite] [--sets small,medium,large,million] [--peers cp,bare,rsync,rclone,restic,arc] [--runs 5] [--parquet] [--scale 1] [--dir DIR] [--loop GIB] [--out DIR] [--profile DIR]

With backups on this machine (--store local, the default):
  speed    backup, second backup and restore beside cp -r and other peers that are to be had (the default)
  memory   peak memory of the service with 200,000 files beside 2,000
  limits   a bandwidth limit over ten seconds, and after a change while a backup runs
  latency  GET /status at 20 a second during backup and restore, while arc.db is written
  micro    listing, chunking, hashing, inventory and list of files, each by itself

With backups on a real server of an object store, which is started for it (minio, azurite):
  speed     backup and restore beside rclone copy with 8 and 32 transfers, and restic (the default)
  distance  2,000 small files where each request takes 20 ms more, with 1 to 64 files in flight in each thread
  limits    peak memory with small and large memory limits, and files in flight as a store takes them (minio only)
  memory    peak memory with one file of 4 GiB beside one of 64 MiB; 8 GiB of room

  --store  several are measured one after the other
  --peers  those that are not on PATH are left out; arc is the program that ARC_BIN names, bare the least
           that copying and hashing takes in Node (default: cp; on a store rclone)
  --parquet  real Parquet files of about the same sizes
  --dir    where to work; a folder of its own is made there and removed (default: the system's temporary folder; for
           an object store a file system in memory, which needs root)
  --loop   work on an ext4 image of so many GiB in memory instead (needs root)
  --scale  make the sets smaller
  --profile  keep CPU profiles of the service's threads there, for Chromium's or VS Code's viewer; costs a tenth
  --out    write report.json, report.md and report.svg there
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    store: { type: 'string', default: 'local' },
    dir: { type: 'string' },
    loop: { type: 'string' },
    sets: { type: 'string', default: 'small,medium,large' },
    scale: { type: 'string', default: '1' },
    runs: { type: 'string', default: '5' },
    peers: { type: 'string' },
    parquet: { type: 'boolean', default: false },
    out: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean' },
  },
})
const what = positionals.length === 0 ? ['speed'] : positionals
const runs = Number(values.runs)
const { parquet, profile } = values
const about = [describeMachine()]
const sections: Section[] = []

if (values.help) console.log(usage)
else await runBench(measure)

async function measure(cleanup: Cleanup): Promise<void> {
  const stores = values.store.split(',').map(storeOf)
  for (const store of stores) {
    await cleanup.within(async (own) => {
      const within = loopDisk(own) ?? values.dir
      if (store === 'local') return measureLocal(makeFolder(own, within ?? tmpdir()))
      return measureRemote(own, store, makeFolder(own, within))
    })
  }
}

function storeOf(name: string): 'local' | StoreKind {
  if (name === 'local' || isStoreKind(name)) return name
  throw new Error(`unknown store "${name}": expected some of local, minio, azurite`)
}

async function measureLocal(folder: string): Promise<void> {
  const names = peersFor('cp')
  if (what.includes('speed')) {
    const peers = findPeers(names)
    for (const set of chosen(sets)) {
      report(names, await measureBesidePeers({ set, folder, runs, peers, parquet, profile }))
    }
  }
  if (what.includes('memory')) await measureMemory(`${folder}/memory`)
  if (what.includes('limits')) await measureBandwidth(`${folder}/limits`)
  if (what.includes('latency')) await measureLatency(`${folder}/latency`)
  if (what.includes('micro')) await measureParts(`${folder}/micro`, runs)
}

async function measureRemote(cleanup: Cleanup, kind: StoreKind, folder: string): Promise<void> {
  const peers = peersFor('rclone')
  if (what.includes('speed')) {
    for (const set of chosen(remoteSets)) {
      await cleanup.within(async (own) => {
        report(peers, await measureOnStore(own, { kind, set, folder, runs, peers, parquet, profile }))
      })
    }
  }
  if (what.includes('distance')) await cleanup.within((own) => measureDistance(own, kind, folder))
  if (what.includes('limits') && kind === 'minio') {
    await measureMemoryLimit(cleanup, folder)
    await measureFlights(cleanup, folder)
  }
  if (what.includes('memory')) await measureLargeMemory(cleanup, kind, folder)
}

/** Written again with each set: what was measured is kept when a later one fails. */
function report(peers: readonly string[], measured: readonly Section[]): void {
  sections.push(...measured)
  if (values.out !== undefined) writeReport(values.out, [...about, ...versionsOf(peers)], sections)
}

function peersFor(usual: string): string[] {
  return (values.peers ?? usual).split(',')
}

function loopDisk(cleanup: Cleanup): string | undefined {
  if (values.loop === undefined) return undefined
  const disk = mountLoopDisk(Number(values.loop) * 2 ** 30)
  cleanup.teardown(() => disk.remove())
  return disk.folder
}

function chosen(all: readonly FileSet[]): FileSet[] {
  const names = values.sets.split(',')
  return all
    .filter(({ name }) => names.includes(name))
    .map((set) => ({ ...set, files: Math.max(1, Math.round(set.files * Number(values.scale))) }))
}
