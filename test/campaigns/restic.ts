import { execFileSync } from 'node:child_process'
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import type { KeepReason, RetentionPolicy } from '../../src/engine/retention.js'

/** Which backups of a history are kept, by their index, and by which rules. */
export type Answer = Readonly<Record<number, readonly KeepReason[]>>

const flags = {
  last: 'last',
  hourly: 'hourly',
  daily: 'daily',
  weekly: 'weekly',
  monthly: 'monthly',
  yearly: 'yearly',
} as const
const tree = '0'.repeat(64)

interface MasterKey {
  readonly mac: { readonly k: string; readonly r: string }
  readonly encrypt: string
}

/**
 * The real restic as judge. `restic backup --time` makes two snapshots a second; here their files are written as restic would, so that one `restic forget --dry-run`
 * judges many histories, each a host of its own.
 */
export class Restic {
  readonly #folder: string
  readonly #key: MasterKey

  /** @param folder empty; the repository is made in it */
  constructor(folder: string) {
    this.#folder = folder
    this.#run(['init'])
    this.#key = JSON.parse(this.#run(['cat', 'masterkey'])) as MasterKey
  }

  static version(): string {
    return execFileSync('restic', ['version'], { encoding: 'utf8' }).trim()
  }

  /** @param histories times of backups as RFC 3339 with the offset that the policy's zone has then; none twice */
  forget(histories: readonly (readonly string[])[], policy: RetentionPolicy): Answer[] {
    this.#empty()
    const places = new Map<string, { history: number; index: number }>()
    for (const [history, times] of histories.entries()) {
      for (const [index, time] of times.entries()) places.set(this.#put(time, `h${history}`), { history, index })
    }
    const rules = Object.entries(flags).flatMap(([rule, flag]) => {
      const count = policy[rule as keyof typeof flags]
      return count ? [`--keep-${flag}`, `${count}`] : []
    })
    const within = policy.within ? ['--keep-within', `${policy.within}d`] : []
    const groups = JSON.parse(
      this.#run(['forget', '--dry-run', '--json', '--group-by', 'host', ...rules, ...within], policy.timezone),
    ) as {
      keep: { id: string }[] | null
      reasons: { snapshot: { id?: string; time: string; hostname: string }; matches: string[] }[] | null
    }[]
    const answers: Record<number, KeepReason[]>[] = histories.map(() => ({}))
    for (const { keep, reasons } of groups) {
      // Reasons come in the order of what is kept, and only some versions name the snapshot in them.
      for (const [at, { id }] of (keep ?? []).entries()) {
        const place = places.get(id)
        const answer = place && answers[place.history]
        if (!answer) throw new Error(`restic speaks of ${id}, which it was not given`)
        answer[place.index] = (reasons?.[at]?.matches ?? []).map(reasonOf)
      }
    }
    return answers
  }

  #put(time: string, hostname: string): string {
    const content = this.#encrypt(
      Buffer.from(JSON.stringify({ time, tree, paths: ['/arc'], hostname, username: 'arc' })),
    )
    const id = createHash('sha256').update(content).digest('hex')
    writeFileSync(`${this.#folder}/snapshots/${id}`, content)
    return id
  }

  /** AES-256 in counter mode, then Poly1305-AES: restic's own format. */
  #encrypt(plain: Buffer): Buffer {
    const { mac, encrypt } = this.#key
    const nonce = randomBytes(16)
    const cipher = createCipheriv('aes-256-ctr', Buffer.from(encrypt, 'base64'), nonce)
    const hidden = Buffer.concat([cipher.update(plain), cipher.final()])
    const once = createCipheriv('aes-128-ecb', Buffer.from(mac.k, 'base64'), null).setAutoPadding(false).update(nonce)
    return Buffer.concat([nonce, hidden, poly1305(hidden, Buffer.from(mac.r, 'base64'), once)])
  }

  #empty(): void {
    const folder = `${this.#folder}/snapshots`
    mkdirSync(folder, { recursive: true })
    for (const name of readdirSync(folder)) rmSync(`${folder}/${name}`)
  }

  #run(args: readonly string[], timezone = 'UTC'): string {
    return execFileSync('restic', ['--no-cache', '--quiet', ...args], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env: { ...process.env, TZ: timezone, RESTIC_REPOSITORY: this.#folder, RESTIC_PASSWORD: 'retention' },
    })
  }
}

/** `daily snapshot` → daily; `within 30d` → within. */
function reasonOf(match: string): KeepReason {
  const rule = /^(last|hourly|daily|weekly|monthly|yearly) snapshot$/.exec(match)?.[1]
  if (rule) return rule as KeepReason
  if (match.startsWith('within ')) return 'within'
  throw new Error(`restic has a reason that is not known here: ${match}`)
}

function poly1305(message: Buffer, r: Buffer, s: Buffer): Buffer {
  const modulus = 2n ** 130n - 5n
  const clamped = number(r) & 0x0ffffffc0ffffffc0ffffffc0fffffffn
  let sum = 0n
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16)
    sum = ((sum + number(block) + (1n << BigInt(8 * block.length))) * clamped) % modulus
  }
  const tag = (sum + number(s)) & (2n ** 128n - 1n)
  return Buffer.from(tag.toString(16).padStart(32, '0'), 'hex').reverse()
}

/** Little-endian. */
function number(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex') || '0'}`)
}
