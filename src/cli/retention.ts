import { type Command, InvalidArgumentError } from 'commander'
import { askToProceed } from './ask.js'
import type { Backups, Begun, Body } from './backups.js'
import { exitCodes } from './exit-code.js'
import type { Terminal } from './program.js'
import { describeKept } from './table.js'

/** What these commands are asked. */
export interface RetentionOptions {
  readonly keepLast?: number
  readonly keepHourly?: number
  readonly keepDaily?: number
  readonly keepWeekly?: number
  readonly keepMonthly?: number
  readonly keepYearly?: number
  readonly within?: number
  readonly timezone?: string
  readonly target?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly json?: boolean
}

/** What they share with the other commands. */
export interface Face {
  readonly terminal: Terminal
  readonly print: (body: Body, text: string) => void
  /** Starts an operation and waits for its end; answers the exit code. */
  readonly move: (start: () => Promise<Begun>) => Promise<number>
}

type Action = (backups: Backups, options: RetentionOptions, id: string, face: Face) => Promise<number>

export function declareRetention(
  command: (name: string, description: string) => Command,
  act: (action: Action) => (...given: unknown[]) => Promise<void>,
  whichTarget: string,
): void {
  command('prune', 'remove the backups that no rule keeps')
    .option('--keep-last <n>', 'keep the newest n', count)
    .option('--keep-hourly <n>', 'keep the newest of each of the last n hours that have one', count)
    .option('--keep-daily <n>', 'the same for days', count)
    .option('--keep-weekly <n>', 'the same for weeks, from Monday on', count)
    .option('--keep-monthly <n>', 'the same for months', count)
    .option('--keep-yearly <n>', 'the same for years', count)
    .option('--within <days>', 'keep what is younger than so many days, seen from the newest', count)
    .option('--timezone <name>', "where days and weeks begin (default: this machine's time zone)")
    .option('--target <name>', 'where to prune (default: backup.default_target)')
    .option('--dry-run', 'only say what would be kept and removed')
    .option('--yes', 'do not ask')
    .action(act(prune))
  command('pin', 'keep a backup from every prune')
    .argument('<id>', 'id of the backup')
    .option('--target <name>', whichTarget)
    .action(
      act(async (backups, { target }, id, { print }) => {
        print(await backups.pin(id, target), `pinned ${id}`)
        return exitCodes.done
      }),
    )
  command('unpin', 'let a prune remove a backup again')
    .argument('<id>', 'id of the backup')
    .option('--target <name>', whichTarget)
    .action(
      act(async (backups, { target }, id, { print }) => {
        print(await backups.unpin(id, target), `unpinned ${id}`)
        return exitCodes.done
      }),
    )
}

const prune: Action = async (backups, options, _id, { terminal, print, move }) => {
  const request = requestOf(options)
  if (options.dryRun || !options.yes) {
    const plan = await backups.planPrune(request)
    if (options.dryRun) {
      print(plan, describeKept(plan))
      return exitCodes.done
    }
    terminal.stderr.write(`${describeKept(plan)}\n`)
    const count = Array.isArray(plan.remove) ? plan.remove.length : 0
    const question = `Remove ${count} ${count === 1 ? 'backup' : 'backups'}?`
    if (!(await askToProceed(question, terminal.stdin, terminal.stderr))) return exitCodes.failed
  }
  return move(() => backups.startPrune(request))
}

function requestOf(options: RetentionOptions): Body {
  const fields = {
    keep_last: options.keepLast,
    keep_hourly: options.keepHourly,
    keep_daily: options.keepDaily,
    keep_weekly: options.keepWeekly,
    keep_monthly: options.keepMonthly,
    keep_yearly: options.keepYearly,
    within: options.within,
    timezone: options.timezone,
    target: options.target,
  }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

function count(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected a whole number')
}
