import { createHash, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import bcrypt from 'bcrypt'

const derive = promisify(pbkdf2)
const prefix = '$pbkdf2-sha256$'
const longest = 128
const saltBytes = 16
const keyBytes = 32
const mostIterations = 10_000_000
const unpaddedBase64 = /^[A-Za-z0-9+/]*$/

/**
 * Does this token have this stored hash? The three forms that Arc has written: PBKDF2-HMAC-SHA256, bcrypt, and bare SHA-256. Runs off the main thread where it
 * takes time (about 0.1 s). Anything malformed is no match.
 */
export async function verifyHash(token: string, stored: string): Promise<boolean> {
  if (stored.startsWith(prefix)) return verifyPbkdf2(token, stored)
  if (stored.startsWith('$2')) return verifyBcrypt(token, stored)
  return isEqual(Buffer.from(sha256(token)), Buffer.from(stored))
}

/** Lower-case hex. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

async function verifyPbkdf2(token: string, stored: string): Promise<boolean> {
  const fields = stored.slice(prefix.length).split('$')
  const [iterations, salt, key] = [fields[0] ?? '', decode(fields[1], saltBytes), decode(fields[2], keyBytes)]
  if (Buffer.byteLength(stored) > longest || fields.length !== 3 || !/^\+?\d+$/.test(iterations) || !salt || !key)
    return false
  const rounds = Number(iterations)
  if (rounds < 1 || rounds > mostIterations) return false
  return isEqual(await derive(token, salt, rounds, keyBytes, 'sha256'), key)
}

async function verifyBcrypt(token: string, stored: string): Promise<boolean> {
  // Go refuses what bcrypt would cut off silently.
  if (Buffer.byteLength(token) > 72) return false
  // $2y is another name of $2b, which Go takes too.
  return bcrypt.compare(token, stored.replace(/^\$2y/, '$2b'))
}

function decode(text: string | undefined, length: number): Buffer | null {
  if (text === undefined || !unpaddedBase64.test(text)) return null
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === length && text.length === Math.ceil((length * 4) / 3) ? bytes : null
}

function isEqual(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
