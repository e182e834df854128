import { Command, CommanderError, Option } from 'commander'
import { loadConfig } from '../config/load.js'
import { ServiceError } from '../errors.js'
import { createLog } from '../log.js'
import { version } from '../version.js'
import { askToProceed } from './ask.js'
import type { Backups, Begun, Body } from './backups.js'
import { exitCodeOf, exitCodeOfOutcome, exitCodes } from './exit-code.js'
import { declareLimits } from './limits.js'
import { describePlan } from './plan.js'
import { declareRetention, type RetentionOptions } from './retention.js'
import { describeEnd, describeList, describeStatus, describeSwept } from './table.js'
import { watch } from './watch.js'

/** What a command works with; the process's own, or a test's. */
export interface Terminal {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly env: NodeJS.ProcessEnv
}

interface CommonOptions {
  readonly config?: string
  readonly url?: string
  readonly cert?: string
  readonly key?: string
  readonly cacert?: string
  readonly json?: boolean
  readonly bandwidthLimit?: string
}

interface OperationOptions extends CommonOptions {
  readonly metadata?: boolean
  readonly configuration?: boolean
  readonly data?: boolean
  readonly full?: boolean
  readonly databases?: string[]
  readonly mode?: string
  readonly allOrNothing?: boolean
  readonly staging?: string
  readonly compare?: string
  readonly level?: string
  readonly target?: string
  readonly plan?: boolean
  readonly planId?: string
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly bandwidth?: string
}

/** Runs one command line and answers its exit code: 0 done, 1 failed, 2 usage, 3 busy, 4 completed with gaps. Never throws. */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<number> {
  let code: number = exitCodes.done
  const act =
    (action: (backups: Backups, options: OperationOptions, id: string) => Promise<number>) =>
    async (...given: unknown[]): Promise<void> => {
      const command = given.at(-1) as Command
      const options = command.optsWithGlobals<OperationOptions>()
      const backups = await open(options, terminal)
      try {
        code = await action(backups, options, typeof given[0] === 'string' ? given[0] : '')
      } finally {
        await backups.close()
      }
    }
  const program = declare(act, terminal, (served) => {
    code = served
  })
  try {
    await program.parseAsync([...args], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    terminal.stderr.write(`arc-backup: ${error instanceof Error ? error.message : String(error)}\n`)
    return exitCodeOf(error)
  }
}

const bandwidthLimit = (): Option =>
  new Option('--bandwidth-limit <rate>', 'such as 200MB/s (default: backup.bandwidth_limit)').conflicts('url')

const whichTarget = 'where it is, if several targets have a backup of this id'

/** The option is as good as this variable, and checked as it is. */
const bandwidthVariable = 'ARC_BACKUP_BANDWIDTH_LIMIT'

type Act = (
  action: (backups: Backups, options: OperationOptions, id: string) => Promise<number>,
) => (...given: unknown[]) => Promise<void>

function declare(act: Act, terminal: Terminal, served: (code: number) => void): Command {
  const program = new Command('arc-backup')
    .description('Backup and restore for the Arc time-series database')
    .version(version)
    .option('--config <file>', 'configuration file (default: arc.toml in ., /etc/arc, $HOME/.arc)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
    })
  const command = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option('--url <url>', 'ask the service at this URL; its token comes from ARC_TOKEN')
      .option('--cert <file>', 'certificate (PEM) for a service that asks for one (or ARC_BACKUP_CLIENT_CERT)')
      .option('--key <file>', 'its key, where it is not in that file (or ARC_BACKUP_CLIENT_KEY)')
      .option('--cacert <file>', 'trust these authorities for the service (or ARC_BACKUP_CLIENT_CACERT)')
      .option('--json', 'print the answer as JSON')
  program
    .command('serve')
    .description('serve the REST API until SIGINT or SIGTERM')
    .action(async (_options: unknown, self: Command) => {
      const { config } = self.optsWithGlobals<CommonOptions>()
      const { serve } = await import('./serve.js')
      served(await serve(load(config, terminal.env)))
    })
  command('backup', 'back up Arc, and wait until it is done')
    .option('--no-metadata', 'leave out arc.db and the other SQLite files')
    .option('--no-configuration', 'leave out arc.toml')
    .option('--databases <names...>', 'only these databases; leaves out metadata and configuration')
    .option('--full', 'copy everything: take nothing from an earlier backup')
    .option('--target <name>', 'where to put it (default: backup.default_target)')
    .addOption(bandwidthLimit())
    .action(act((backups, options) => backUp(backups, options, terminal)))
  command('restore', 'restore a backup, and wait until it is done')
    .argument('<id>', 'id of the backup')
    .option('--no-data', 'leave the databases as they are')
    .option('--no-metadata', 'leave arc.db and the other SQLite files as they are')
    .option('--configuration', 'restore arc.toml too')
    .option('--databases <names...>', 'only these databases')
    .option('--mode <mode>', 'merge: keep Parquet files that the backup lacks; replace: move them aside')
    .option('--all-or-nothing', 'change nothing unless every file is proven')
    .option(
      '--compare <how>',
      'which live files are left alone: hash: of the same bytes; stat: of the same size and time',
    )
    .option('--staging <staging>', 'all: prove everything first; file: one by one, where room is short')
    .option('--target <name>', whichTarget)
    .option('--plan', 'only say what would happen')
    .option('--plan-id <plan>', 'start only if what this plan said still holds')
    .option('--yes', 'do not ask')
    .addOption(bandwidthLimit())
    .action(act((backups, options, id) => restore(backups, options, id, terminal)))
  command('verify', 'look whether a backup is whole, and wait until it is done')
    .argument('<id>', 'id of the backup')
    .option('--level <level>', 'quick: names and sizes; full: every byte; deep: what the files are, too', 'full')
    .option('--target <name>', whichTarget)
    .addOption(bandwidthLimit())
    .action(act((backups, options, id) => verify(backups, options, id, terminal)))
  command('list', 'list all backups').action(
    act(async (backups, options) => {
      const list = await backups.list()
      print(terminal, options, list, describeList(list))
      return exitCodes.done
    }),
  )
  command('show', 'show the manifest of a backup')
    .argument('<id>', 'id of the backup')
    .option('--target <name>', whichTarget)
    .action(
      act(async (backups, options, id) => {
        const manifest = await backups.show(id, options.target)
        print(terminal, options, manifest, JSON.stringify(manifest, null, 2))
        return exitCodes.done
      }),
    )
  command('delete', 'delete a backup')
    .argument('<id>', 'id of the backup')
    .option('--target <name>', whichTarget)
    .option('--yes', 'do not ask')
    .action(
      act(async (backups, options, id) => {
        if (!options.yes && !(await askToProceed(`Delete ${id}?`, terminal.stdin, terminal.stderr)))
          return exitCodes.failed
        await backups.deleteBackup(id, options.target)
        print(terminal, options, { backup_id: id, message: 'Backup deleted' }, `deleted ${id}`)
        return exitCodes.done
      }),
    )
  declareLimits(command, (action) =>
    act((backups, options) => action(backups, options, (body, text) => print(terminal, options, body, text))),
  )
  declareRetention(
    command,
    (action) =>
      act((backups, options, id) =>
        action(backups, options as RetentionOptions, id, {
          terminal,
          print: (body, text) => print(terminal, options, body, text),
          move: (start) => move(start, backups, options, terminal),
        }),
      ),
    whichTarget,
  )
  command('status', 'show the running or last operation, and when the schedule is due next').action(
    act(async (backups, options) => {
      const status = await backups.status()
      print(terminal, options, status, describeStatus(status))
      return exitCodes.done
    }),
  )
  command('resume', 'go on with an interrupted operation, and wait until it is done')
    .argument('<operation>', 'id of the operation')
    .addOption(bandwidthLimit())
    .action(act((backups, options, id) => move(() => backups.resume(id), backups, options, terminal)))
  command('discard', 'give an interrupted operation up, and remove what it left')
    .argument('<operation>', 'id of the operation')
    .action(
      act(async (backups, options, id) => {
        await backups.discard(id)
        print(terminal, options, { operation_id: id, message: 'Discarded' }, `discarded ${id}`)
        return exitCodes.done
      }),
    )
  command('sweep', 'remove what operations that have ended left behind')
    .option('--dry-run', 'only say what would be removed')
    .action(
      act(async (backups, options) => {
        const found = await backups.sweep(options.dryRun === true)
        print(terminal, options, found, describeSwept(found))
        return exitCodes.done
      }),
    )
  command('undo', 'put back the files that a restore in mode "replace" moved aside')
    .argument('<operation>', 'id of the restore')
    .action(
      act(async (backups, options, id) => {
        const { restored, kept } = (await backups.undo(id)) as { restored: number; kept: string[] }
        const rest = kept.map((path) => `\nleft aside, because there is a file of its name again: ${path}`).join('')
        print(terminal, options, { restored, kept }, `${restored} files are back${rest}`)
        return kept.length > 0 ? exitCodes.failed : exitCodes.done
      }),
    )
  return program
}

async function backUp(backups: Backups, options: OperationOptions, terminal: Terminal): Promise<number> {
  const request = {
    ...(options.databases && { databases: options.databases }),
    ...(options.target && { target: options.target }),
    ...(options.full && { incremental: false }),
    ...(options.metadata === false && { include_metadata: false }),
    ...(options.configuration === false && { include_config: false }),
  }
  return move(() => backups.startBackup(request), backups, options, terminal)
}

async function restore(backups: Backups, options: OperationOptions, id: string, terminal: Terminal): Promise<number> {
  await backups.show(id, options.target)
  const request = {
    backup_id: id,
    ...(options.data === false && { restore_data: false }),
    ...(options.metadata === false && { restore_metadata: false }),
    ...(options.configuration && { restore_config: true }),
    ...(options.databases && { databases: options.databases }),
    ...(options.target && { target: options.target }),
    ...(options.mode && { mode: options.mode }),
    ...(options.allOrNothing && { all_or_nothing: true }),
    ...(options.staging && { staging: options.staging }),
    ...(options.compare && { compare: options.compare }),
    ...(options.planId !== undefined && { plan_id: options.planId }),
  }
  if (options.plan) {
    const plan = await backups.planRestore(request)
    print(terminal, options, plan, describePlan(plan))
    return exitCodes.done
  }
  const question = `Restore ${id} over the live data?`
  if (!options.yes && !(await askToProceed(question, terminal.stdin, terminal.stderr))) return exitCodes.failed
  return move(() => backups.startRestore(request), backups, options, terminal)
}

/** A backup or a restore, to its end. */
async function move(
  start: () => Promise<Begun>,
  backups: Backups,
  options: OperationOptions,
  terminal: Terminal,
): Promise<number> {
  const status = await operate(start, backups, () => backups.cancel(), terminal)
  return tell(status, options, terminal)
}

/** Beside whatever else runs: what it is at is asked by its own id. */
async function verify(backups: Backups, options: OperationOptions, id: string, terminal: Terminal): Promise<number> {
  const request = { level: options.level ?? 'full', ...(options.target && { target: options.target }) }
  let operation = ''
  const start = async () => {
    const started = await backups.startVerify(id, request)
    operation = started.operationId
    return started
  }
  const watched = { status: () => backups.operation(operation), ...(backups.follow && { follow: backups.follow }) }
  await operate(start, watched, () => backups.cancel(operation), terminal)
  const status = await backups.operation(operation)
  const code = tell(status, options, terminal)
  const more = flaws.some((flaw) => Number(status[`${flaw}_files`]) > sampleOf(status, flaw))
  if (more && !options.json) terminal.stdout.write(`all of them: ${backups.findingsOf(operation)}\n`)
  return code
}

const flaws = ['damaged', 'missing', 'unexpected']

function sampleOf(status: Body, flaw: string): number {
  const sample = status[`${flaw}_sample`]
  return Array.isArray(sample) ? sample.length : 0
}

/** Starts an operation and watches it to its end. Ctrl-C asks it to cancel; a second one leaves at once. */
async function operate(
  start: () => Promise<Begun>,
  watched: Pick<Backups, 'status' | 'follow'>,
  askToCancel: () => Promise<void>,
  terminal: Terminal,
): Promise<Body> {
  let started: Promise<unknown> = Promise.resolve()
  const cancel = (): void => {
    terminal.stderr.write('\ncancelling\n')
    // What has not begun yet can't be cancelled before it has.
    started
      .then(
        () => askToCancel(),
        () => {},
      )
      .catch((error: unknown) => {
        terminal.stderr.write(`arc-backup: ${error instanceof Error ? error.message : String(error)}\n`)
      })
  }
  process.once('SIGINT', cancel)
  process.once('SIGTERM', cancel)
  try {
    const starting = start()
    started = starting
    return await watch(watched, terminal.stderr, await starting)
  } finally {
    process.removeListener('SIGINT', cancel)
    process.removeListener('SIGTERM', cancel)
  }
}

function tell(status: Body, options: CommonOptions, terminal: Terminal): number {
  print(terminal, options, status, describeEnd(status))
  return exitCodeOfOutcome(status.outcome ?? status.status)
}

/** Loads what the command needs and no more: the service's modules take half a second of a slow core, `--url` needs none of them. */
async function open(options: CommonOptions, terminal: Terminal): Promise<Backups> {
  const { url, cert, key, cacert, bandwidthLimit: limit } = options
  const given = Object.entries({ cert, key, cacert }).find(([, file]) => file !== undefined)
  if (given && !url?.startsWith('https:'))
    throw new ServiceError('REQUEST_INVALID', `--${given[0]} is for a service at a --url that begins with https:`)
  if (url !== undefined) {
    const { ARC_BACKUP_CLIENT_CERT: ownCert, ARC_BACKUP_CLIENT_KEY: ownKey, ARC_BACKUP_CLIENT_CACERT } = terminal.env
    // A key belongs to its certificate: the environment's is none for a certificate that is named.
    const shown = (cert ?? key) ? { cert, key } : { cert: ownCert || undefined, key: ownKey || undefined }
    const trusted = cacert ?? (ARC_BACKUP_CLIENT_CACERT || undefined)
    const { remoteBackups } = await import('./remote-backups.js')
    return remoteBackups(url, terminal.env.ARC_TOKEN, { ...shown, cacert: trusted })
  }
  const config = load(options.config, { ...terminal.env, ...(limit !== undefined && { [bandwidthVariable]: limit }) })
  const log = createLog({ level: 'warn', format: 'console', fd: 2 })
  for (const warning of config.warnings) log.warn(warning)
  const { localBackups } = await import('./local-backups.js')
  return localBackups(config, log)
}

function load(file: string | undefined, env: NodeJS.ProcessEnv) {
  return loadConfig({ env, ...(file !== undefined && { file }) })
}

function print(terminal: Terminal, options: CommonOptions, body: Body, text: string): void {
  terminal.stdout.write(`${options.json ? JSON.stringify(body) : text}\n`)
}
