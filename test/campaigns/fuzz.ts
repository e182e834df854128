import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { systemCode } from '../../src/errors.js'
import type { Owner } from '../servers/owner.js'
import { checkDescribed } from '../support/described.js'
import { adminToken, arcBackupId, copyFixture, facts } from '../support/fixture.js'
import { program, root } from '../support/root.js'
import { type HostileRequest, hostileRequests } from './hostile-requests.js'
import { exchange, type WireAnswer } from './wire.js'

/** How many requests were answered with each status; 0: the connection was closed without an answer. */
export type Counts = Readonly<Record<number, number>>

const atOnce = 20
/** In ms; a delete waits for the whole file system to be synced, with whatever else is being written there. */
const patience = 60_000
const sentinel = 'SENTINEL-0123456789abcdefghijklmnopqrstuvwxyz'
/** Inside the service: it does not outlive whoever started it, however that one ends. */
const endWithParent =
  'data:text/javascript,process.on("disconnect",()=>process.exit());if(process.channel)process.channel.unref()'

/**
 * Where anything may be done: the second is the test runner's, which looks over the shoulder of every process; behind the third are files that were opened by a name before, and
 * that one is looked at (`stores/local-clone.ts` copies so, and where a file system shares no blocks libuv then tries to remove what it names, which the kernel refuses there).
 */
const harmless = ['/dev/null', `${root}.tap`, '/proc/self/fd']
/** What may be read: the program itself, its system, and how the machine is. */
const read = [
  ...[`${root}dist`, `${root}node_modules`, `${root}package.json`, dirname(process.execPath)],
  ...[
    '/usr/bin',
    '/bin',
    '/lib',
    '/lib64',
    '/usr/lib',
    '/usr/share/zoneinfo',
    '/etc/ld.so.cache',
    '/etc/ld.so.preload',
  ],
  ...[
    '/proc/self',
    '/proc/sys/kernel/random/boot_id',
    '/proc/meminfo',
    '/proc/stat',
    '/proc/cpuinfo',
    '/sys/fs/cgroup',
    '/sys/devices/system/cpu',
  ],
]

/** The real service under strace, in a folder of its own, with things beside it that nobody may reach. */
export class FuzzGround {
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #listeningAt: number
  readonly #port: number
  readonly #output: { out: string; err: string }

  private constructor(child: ChildProcess, folder: string, port: number, output: { out: string; err: string }) {
    this.#child = child
    this.#folder = folder
    this.#port = port
    this.#output = output
    this.#listeningAt = Date.now() / 1000
  }

  /** @throws where there is no strace */
  static async open(owner: Owner, folder: string): Promise<FuzzGround> {
    const home = `${folder}/home`
    mkdirSync(home)
    copyFixture(home)
    mkdirSync(`${folder}/outside`)
    writeFileSync(`${folder}/outside/secret.txt`, sentinel)
    const config = readFileSync(`${home}/arc.toml`, 'utf8')
    writeFileSync(`${home}/arc.toml`, `${config}\n[backup.targets.offsite]\ntype = "local"\nlocal_path = "./offsite"\n`)
    const own = ['--import', endWithParent, program, 'serve']
    const trace = ['-f', '-qq', '-ttt', '--seccomp-bpf', '-s', '4096', '-e', 'trace=%file', '-o', `${folder}/trace`]
    const child = spawn('strace', [...trace, process.execPath, ...own], {
      cwd: home,
      env: {
        PATH: '/usr/bin:/bin',
        HOME: home,
        ARC_BACKUP_HOST: '127.0.0.1',
        ARC_BACKUP_PORT: '0',
        ARC_BACKUP_DEFAULT_TARGET: 'local',
        ARC_BACKUP_WORKERS: '2',
        ARC_LOG_FORMAT: 'json',
        ARC_LOG_LEVEL: 'trace',
        ARC_SERVER_READ_TIMEOUT: '1',
        ARC_STORAGE_S3_SECRET_KEY: sentinel,
        ARC_AUTH_BOOTSTRAP_TOKEN: sentinel,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    owner.teardown(() => {
      if (child.connected) child.disconnect()
    })
    const output = { out: '', err: '' }
    child.stdout?.on('data', (text: Buffer) => {
      output.out += text
    })
    child.stderr?.on('data', (text: Buffer) => {
      output.err += text
    })
    const failed = once(child, 'error').then(([error]) => {
      throw new Error(`strace is needed (Debian: apt-get install strace): ${error}`)
    })
    for (;;) {
      const port = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(output.out)?.[1]
      if (port !== undefined) return new FuzzGround(child, folder, Number(port), output)
      if (child.exitCode !== null) throw new Error(`the service did not start: ${output.out}${output.err}`)
      await Promise.race([sleep(20), failed])
    }
  }

  /**
   * Sends so many requests, made by a seed, some at once.
   *
   * @param tell is called after each batch, with how many were sent so far
   * @throws with what is wrong in the first batch that has a wrong answer: what runs meanwhile is another each time, so none smaller is looked for
   */
  async send(requests: number, seed: number, tell = (_sent: number): void => {}): Promise<Counts> {
    let sent = 0
    const counts: Record<number, number> = {}
    const one = hostileRequests({
      tokens: [adminToken, ...Object.values(facts.tokens), sentinel],
      backupIds: [arcBackupId],
      targets: ['local', 'offsite'],
      outside: [`${this.#folder}/outside/secret.txt`, '/etc/passwd'],
    })
    const batches = fc.array(one, { minLength: atOnce, maxLength: atOnce })
    const property = fc.asyncProperty(batches, async (batch) => {
      this.#bringBack()
      const wrong = (await Promise.all(batch.map((request) => this.#ask(request, counts)))).flat()
      if (wrong.length > 0) throw new Error(wrong.join('\n'))
      sent += batch.length
      tell(sent)
    })
    const { failed, errorInstance } = await fc.check(property, {
      seed,
      numRuns: Math.ceil(requests / atOnce),
      endOnFailure: true,
    })
    // Not as fast-check would say it: a batch is a screen full of bytes.
    if (failed) {
      const what = errorInstance instanceof Error ? errorInstance.message : errorInstance
      const said = this.#output.out.split('\n').filter((line) => line.includes('"level":"error"'))
      throw new Error([`with seed ${seed}: ${what}`, ...said.slice(-3)].join('\n'))
    }
    return counts
  }

  /** Ends the service. Answers what it should not have done meanwhile, and the most memory that it held, in bytes. */
  async end(): Promise<{ wrong: string[]; memory: number }> {
    const wrong: string[] = []
    const answer = await fetch(`http://127.0.0.1:${this.#port}/health`).catch(() => null)
    if (answer?.status !== 200) wrong.push('the service does not answer any more')
    const pid = this.#pid()
    const memory = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
    const ended = once(this.#child, 'close')
    process.kill(pid, 'SIGTERM')
    const [code] = await ended
    if (code !== 0) wrong.push(`it ended with ${code}`)
    const { out, err } = this.#output
    if (err !== '') wrong.push(`standard error: ${err.slice(0, 1000)}`)
    for (const line of out.split('\n').slice(0, -1)) wrong.push(...flawsOfLine(line))
    wrong.push(...this.#reached())
    return { wrong: [...new Set(wrong)], memory }
  }

  async #ask(request: HostileRequest, counts: Record<number, number>): Promise<string[]> {
    const { method, target, isWhole, bytes } = request
    const answer = await exchange(this.#port, bytes, { isHead: method === 'HEAD', patience })
    const status = answer?.status ?? 0
    counts[status] = (counts[status] ?? 0) + 1
    const flaws = answer ? flawsOf(request, answer) : isWhole ? ['it has no answer'] : []
    return flaws.map((flaw) => `${method} ${target.slice(0, 200)}: ${flaw}\n${answer?.text.slice(0, 2000) ?? ''}`)
  }

  /** Arc's own backup, where a request has removed it: or else there would soon be nothing left to ask for. */
  #bringBack(): void {
    const path = `data/backups/${arcBackupId}`
    if (existsSync(`${this.#folder}/home/${path}/manifest.json`)) return
    // As a whole, since what a request has begun to remove may still be going away: then it comes back later.
    const copy = `${this.#folder}/copy`
    cpSync(`${root}test/fixtures/arc-26.09.1/${path}`, copy, { recursive: true })
    try {
      renameSync(copy, `${this.#folder}/home/${path}`)
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST'].includes(String(systemCode(error)))) throw error
    }
  }

  /** Of the service: strace is its parent. */
  #pid(): number {
    const { pid } = this.#child
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0])
  }

  /** Files that it touched since it listens, other than its own. */
  #reached(): string[] {
    const home = `${this.#folder}/home`
    // Where `npm run coverage` has each thread keep its record.
    const { NODE_V8_COVERAGE: records } = process.env
    const own = [home, ...harmless, ...(records ? [records] : [])]
    const found = new Set<string>()
    let calls = 0
    for (const line of readFileSync(`${this.#folder}/trace`, 'latin1').split('\n')) {
      const [, time, call = '', rest = ''] = /^\d+ +(\d+\.\d+) (\w+)\((.*)/.exec(line) ?? []
      if (time === undefined || Number(time) < this.#listeningAt) continue
      calls += 1
      for (const [, quoted = ''] of rest.matchAll(/"((?:[^"\\]|\\.)*)"/g)) {
        const path = resolve(home, quoted)
        const allowed = [...own, ...(changes(call, rest) ? [] : read)]
        if (allowed.some((place) => path === place || path.startsWith(`${place}/`)) || isParent(path, home, root))
          continue
        found.add(`${call} ${path}`)
      }
    }
    return calls === 0 ? ['strace has seen no call'] : [...found].map((one) => `a file outside was touched: ${one}`)
  }
}

/** Does a system call change what it names? */
function changes(call: string, args: string): boolean {
  return (
    /^(mk|ren|unlink|rm|link|sym|ch|lch|fch|utim|futim|trunc|creat|set|rem)/.test(call) ||
    /O_(WRONLY|RDWR|CREAT)/.test(args)
  )
}

/** A look at the folders that lead to these: for a module that is loaded late, Node looks at each of them. */
function isParent(path: string, ...of: readonly string[]): boolean {
  return of.some((one) => one.startsWith(path === '/' ? '/' : `${path}/`))
}

function flawsOf({ method, target }: HostileRequest, answer: WireAnswer): string[] {
  const { status, headers, text, body } = answer
  const flaws = [...secretsIn(text)]
  if (status >= 500) flaws.push(`status ${status}`)
  if (
    /node_modules|node:internal|\/dist\/|\n\s+at /.test(body) &&
    !headers.get('content-type')?.startsWith('text/javascript')
  )
    flaws.push('a stack')
  if (headers.has('x-injected')) flaws.push('a header of the client')
  if (headers.get('x-content-type-options') !== 'nosniff' || !headers.has('x-request-id')) flaws.push('not all headers')
  const path =
    /^\/[!-~]*$/.test(target) && URL.canParse(target, 'http://x') ? new URL(target, 'http://x').pathname : null
  const isPage = /^(text\/(html|javascript|css)|image)/.test(headers.get('content-type') ?? '')
  if (
    method !== 'HEAD' &&
    status !== 204 &&
    status !== 304 &&
    !isPage &&
    !headers.has('content-encoding') &&
    path !== null
  ) {
    try {
      checkDescribed({ method, path, status, type: headers.get('content-type') ?? '', text: body })
    } catch (error) {
      flaws.push(String(error))
    }
  }
  return flaws
}

function secretsIn(text: string): string[] {
  const secrets = [sentinel, 'pbkdf2-sha256', 'root:x:0:0', ...Object.values(facts.tokens)]
  return secrets.filter((secret) => text.includes(secret)).map((secret) => `a secret: ${secret}`)
}

function flawsOfLine(line: string): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  const flaws = [...secretsIn(line), ...(/[\x00-\x1f\x7f-\x9f]/.test(line) ? ['a control character'] : [])]
  try {
    const { message, exception, status } = JSON.parse(line) as Record<string, unknown>
    if (exception !== undefined || Number(status) >= 500) flaws.push(String(message))
  } catch {
    flaws.push('no JSON')
  }
  return flaws.map((flaw) => `a line of the log has ${flaw}: ${line.slice(0, 1500)}`)
}
