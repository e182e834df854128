import { rmSync } from 'node:fs'
import { writeSet } from './sets.js'
import { Stage } from './stage.js'

/** Does the memory of the service grow with the number of files? Files of 1 KiB: 2,000, then 200,000, each with services of their own. */
export async function measureMemory(folder: string): Promise<void> {
  const peaks: Record<string, { backup: number; restore: number }> = {}
  for (const files of [2000, 200_000]) {
    const stage = await Stage.open(folder)
    try {
      writeSet(stage.source, { name: 'memory', files, size: 1024 })
      const backup = await stage.backUp()
      const restore = await stage.restore(backup.id)
      peaks[files] = { backup: backup.memory, restore: restore.memory }
      console.log(
        `${files} files of 1 KiB: backup ${mib(backup.memory)} MiB in ${backup.wall.toFixed(1)} s, restore ${mib(restore.memory)} MiB in ${restore.wall.toFixed(1)} s`,
      )
    } finally {
      await stage.close()
      rmSync(folder, { recursive: true, force: true })
    }
  }
  console.log(JSON.stringify({ memory: peaks }))
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0)
}
