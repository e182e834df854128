import { totalmem } from 'node:os'

/** Bytes. */
const most = 2 ** 30
const share = 1 / 4

/** What files on their way may take of the memory where nothing is set: a quarter of what the container may use, or of what the machine has. */
export function usualMemoryLimit(container = process.constrainedMemory(), machine = totalmem()): number {
  // Without a container, or with one that sets no limit, it is 0, or more than any machine has.
  const available = container > 0 ? Math.min(container, machine) : machine
  return Math.floor(Math.min(most, available * share))
}
