import type { Command } from 'commander'
import type { Backups, Body } from './backups.js'
import { exitCodes } from './exit-code.js'
import { formatSize } from './format-size.js'

/** What this command is asked. */
export interface LimitsOptions {
  readonly bandwidth?: string
}

type Action = (backups: Backups, options: LimitsOptions, print: (body: Body, text: string) => void) => Promise<number>

export function declareLimits(
  command: (name: string, description: string) => Command,
  act: (action: Action) => (...given: unknown[]) => Promise<void>,
): void {
  command('limits', 'show how much of the machine is taken at most, or change it in a running service')
    .option('--bandwidth <rate>', 'such as 200MB/s, for what runs too; none takes the limit away')
    .action(
      act(async (backups, { bandwidth }, print) => {
        const limits = await backups.limits(bandwidth === undefined ? undefined : { bandwidth_limit: bandwidth })
        print(limits, describeLimits(limits))
        return exitCodes.done
      }),
    )
}

function describeLimits(limits: Body): string {
  return [
    `bandwidth  ${limits.bandwidth_limit ?? 'none'}`,
    `memory     ${formatSize(Number(limits.memory_limit_bytes))}`,
    `priority   ${limits.priority}`,
    `workers    ${limits.workers}`,
  ].join('\n')
}
