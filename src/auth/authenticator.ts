import { timingSafeEqual } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { ServiceError } from '../errors.js'
import { Gate } from './gate.js'
import { readGoTime } from './go-time.js'
import { sha256, verifyHash } from './token-hash.js'
import { type TokenRow, TokenStore } from './token-store.js'

export interface AuthenticatorOptions {
  /** Arc's `arc.db`. */
  readonly dbPath: string
  /** How long a verdict may be used at most, in ms. */
  readonly cacheTtlMs: number
  /** Verdicts kept at most. */
  readonly maxCacheSize: number
  /** Accepted as admin while there are no tokens. */
  readonly bootstrapToken: string | null
  /** Hashes computed at once; default: the cores. */
  readonly concurrency?: number
}

export interface Verdict {
  /** Name of the token. */
  readonly name: string
  readonly permissions: readonly string[]
  readonly admin: boolean
  /** SHA-256 (hex) of the credential. */
  readonly credentialHash: string
}

interface Cached {
  readonly row: TokenRow
  /** The store's version when the row was last looked at. */
  version: string
  readonly until: number
}

interface Refused {
  /** SHA-256 of the stored hashes that it did not have. */
  readonly compared: string
  readonly until: number
}

/** Waiting for a hash at most. */
const queue = 64
/** A bad token is remembered that long, in ms: while rows without prefix exist each one costs a hash. */
const badFor = 5000
/** No token that Arc makes is longer than this; hashing 100 kB for a guess is not worth it. */
const longestToken = 4096
const invalid = (): ServiceError => new ServiceError('UNAUTHENTICATED', 'Invalid or expired token')

/** Decides whether a credential is one of Arc's tokens, by Arc's rules, against Arc's live database. */
export class Authenticator {
  /** Hashes computed so far. */
  hashes = 0
  readonly #options: AuthenticatorOptions
  readonly #store: TokenStore
  readonly #gate: Gate
  readonly #good = new Map<string, Cached>()
  readonly #bad = new Map<string, Refused>()
  readonly #pending = new Map<string, Promise<TokenRow | null>>()

  constructor(options: AuthenticatorOptions) {
    this.#options = options
    this.#store = new TokenStore(options.dbPath)
    this.#gate = new Gate(options.concurrency ?? availableParallelism(), queue)
  }

  /**
   * Who has this credential.
   *
   * @throws UNAUTHENTICATED; TOO_MANY_REQUESTS; UNAVAILABLE when `arc.db` can't be read, which is never taken for "no tokens"
   */
  async authenticate(credential: string | null): Promise<Verdict> {
    if (credential === null || credential === '') throw new ServiceError('UNAUTHENTICATED', 'Authentication required')
    if (credential.length > longestToken) throw invalid()
    const hash = sha256(credential)
    const row = this.#cached(hash) ?? (await this.#look(credential, hash))
    if (row === null) return this.#bootstrap(hash)
    if (row.expiresAt !== null && readGoTime(row.expiresAt) < Date.now()) throw invalid()
    const permissions = row.permissions ? row.permissions.split(',') : []
    return { name: row.name, permissions, admin: permissions.includes('admin'), credentialHash: hash }
  }

  close(): void {
    this.#store.close()
  }

  /** Arc writes times of use and audit rows all the time: on a new version one SELECT tells whether the row is still the same. */
  #cached(hash: string): TokenRow | undefined {
    const cached = this.#good.get(hash)
    if (!cached || cached.until < Date.now()) return undefined
    const version = this.#store.version()
    if (version === cached.version) return cached.row
    const row = this.#store.row(cached.row.id)
    if (!row || !isSame(row, cached.row)) {
      this.#good.delete(hash)
      return undefined
    }
    cached.version = version
    return cached.row
  }

  async #look(credential: string, hash: string): Promise<TokenRow | null> {
    const version = this.#store.version()
    const candidates = this.#store.candidates(hash.slice(0, 16))
    const compared = sha256(candidates.map((row) => row.hash).join('\n'))
    const refused = this.#bad.get(hash)
    // By the hashes, not by the version: Arc's own writes would have it forgotten at once.
    if (refused && refused.compared === compared && refused.until > Date.now()) return null
    const row = await this.#verifyOnce(credential, hash, version, candidates)
    const { cacheTtlMs, maxCacheSize } = this.#options
    if (row) remember(this.#good, hash, { row, version, until: Date.now() + cacheTtlMs }, maxCacheSize)
    else remember(this.#bad, hash, { compared, until: Date.now() + badFor }, maxCacheSize)
    return row
  }

  /** Requests that come with the same token at once share one verification, unless a row may have changed since it began. */
  #verifyOnce(
    credential: string,
    hash: string,
    version: string,
    candidates: readonly TokenRow[],
  ): Promise<TokenRow | null> {
    const key = `${hash} ${version}`
    const pending = this.#pending.get(key)
    if (pending !== undefined) return pending
    const verification = this.#verify(credential, candidates).finally(() => this.#pending.delete(key))
    this.#pending.set(key, verification)
    return verification
  }

  async #verify(credential: string, candidates: readonly TokenRow[]): Promise<TokenRow | null> {
    for (const row of candidates) {
      const matches = await this.#gate.run(() => {
        this.hashes += 1
        return verifyHash(credential, row.hash)
      })
      // The first that matches decides, also where it has expired.
      if (matches) return row
    }
    return null
  }

  #bootstrap(hash: string): Verdict {
    const { bootstrapToken } = this.#options
    const matches = bootstrapToken !== null && timingSafeEqual(Buffer.from(hash), Buffer.from(sha256(bootstrapToken)))
    if (!matches || !this.#store.isEmpty()) throw invalid()
    return { name: 'bootstrap', permissions: ['read', 'write', 'delete', 'admin'], admin: true, credentialHash: hash }
  }
}

/** @throws FORBIDDEN */
export function requireAdmin(verdict: Verdict): void {
  if (!verdict.admin) throw new ServiceError('FORBIDDEN', 'Permission denied: admin required')
}

export function openAuthenticator(options: AuthenticatorOptions): Authenticator {
  return new Authenticator(options)
}

function isSame(a: TokenRow, b: TokenRow): boolean {
  return a.hash === b.hash && a.permissions === b.permissions && a.expiresAt === b.expiresAt && a.name === b.name
}

/** The oldest goes first: maps keep the order of insertion. */
function remember<V>(map: Map<string, V>, key: string, value: V, capacity: number): void {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= capacity) return
    map.delete(oldest)
  }
}
