import { readFileSync, writeFileSync } from 'node:fs'

/** Clock ticks a second in /proc: 100 on every Linux that Node runs on. */
const ticks = 100

/** CPU seconds, user and system, that a process has used so far, its threads included. */
export function cpuSeconds(pid: number): number {
  // The name in parentheses may hold spaces; the fields after it are counted from 3.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticks
}

/** Greatest resident memory since the last reset, in bytes. */
export function peakMemory(pid: number): number {
  const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1]) * 1024
}

export function resetPeakMemory(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** CPU seconds that all of this machine's cores have spent on anything so far, the kernel's own threads included: a clock of what a process makes others do. */
export function machineSeconds(): number {
  const [user, nice, system, , , irq, softirq] = (/^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '')
    .split(' ')
    .map(Number)
  return [user, nice, system, irq, softirq].reduce<number>((sum, part = 0) => sum + part, 0) / ticks
}
