import { pbkdf2Sync } from 'node:crypto'
import { hashSync } from 'bcrypt'
import t from 'tap'
import { sha256, verifyHash } from '../../src/auth/token-hash.js'
import { facts } from '../support/fixture.js'

const token = 'a token with ümlauts'
const salt = Buffer.from('0123456789abcdef')
const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')
const key = (iterations: number, length = 32): Buffer => pbkdf2Sync(token, salt, iterations, length, 'sha256')
const pbkdf2 = (iterations = '7', saltText = unpadded(salt), keyText = unpadded(key(7))): string =>
  `$pbkdf2-sha256$${iterations}$${saltText}$${keyText}`

t.test('SHA-256 is lower-case hex of the UTF-8 bytes', async (t) => {
  t.equal(sha256('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  t.equal(sha256('ü'), sha256(Buffer.from([0xc3, 0xbc]).toString()))
})

t.test('what Arc itself has stored', async (t) => {
  const hash = '$pbkdf2-sha256$600000$Mzot95w0eRWbp0XaKF+T7A$zfOAqpNaA5BI9lLS0B5VxPyNto8wvJAapEiRyBDndlc'
  t.equal(await verifyHash(String(facts.tokens.bootstrap_admin), hash), true)
  t.equal(await verifyHash(String(facts.tokens.admin2), hash), false)
})

t.test('PBKDF2', async (t) => {
  t.equal(await verifyHash(token, pbkdf2()), true)
  t.equal(await verifyHash(token, pbkdf2('+7')), true)
  t.equal(await verifyHash(token, pbkdf2('007')), true)
  t.equal(await verifyHash(`${token} `, pbkdf2()), false)
  t.equal(await verifyHash('', pbkdf2()), false)
  const refused: Record<string, string> = {
    'other iterations': pbkdf2('8'),
    'no iterations': pbkdf2(''),
    'zero iterations': pbkdf2('0'),
    'negative iterations': pbkdf2('-7'),
    'iterations with a fraction': pbkdf2('7.0'),
    'iterations in another notation': pbkdf2('0x7'),
    'more than ten million iterations': pbkdf2('10000001'),
    'a number that is none in JSON either': pbkdf2('1e1'),
    'padded salt': pbkdf2('7', salt.toString('base64')),
    'padded key': pbkdf2('7', undefined, key(7).toString('base64')),
    'short salt': pbkdf2('7', unpadded(salt.subarray(1))),
    'long salt': pbkdf2('7', unpadded(Buffer.concat([salt, salt]))),
    'short key': pbkdf2('7', undefined, unpadded(key(7, 31))),
    'long key': pbkdf2('7', undefined, unpadded(key(7, 33))),
    'the alphabet of URLs': pbkdf2('7', 'AAAAAAAAAAAAAAAAAAAA-_'),
    'no key': `$pbkdf2-sha256$7$${unpadded(salt)}`,
    'one field more': `${pbkdf2()}$`,
    'nothing behind the prefix': '$pbkdf2-sha256$',
    'more than 128 bytes': pbkdf2('7'.padStart(60, '0')),
  }
  for (const [why, stored] of Object.entries(refused)) t.equal(await verifyHash(token, stored), false, why)
})

t.test('bcrypt under all its names', async (t) => {
  const stored = hashSync(token, 4)
  for (const name of ['$2a', '$2b', '$2y']) {
    t.equal(await verifyHash(token, stored.replace('$2b', name)), true, name)
    t.equal(await verifyHash('another', stored.replace('$2b', name)), false, name)
  }
  for (const broken of ['$2', '$2b$', '$2b$04$short', stored.slice(0, -1)]) {
    t.equal(await verifyHash(token, broken), false, broken)
  }
})

t.test('bcrypt sees no more than 72 bytes: a longer token is none', async (t) => {
  const longest = 'x'.repeat(72)
  t.equal(await verifyHash(longest, hashSync(longest, 4)), true)
  t.equal(await verifyHash(`${longest}y`, hashSync(longest, 4)), false)
  t.equal(await verifyHash('ü'.repeat(37), hashSync('ü'.repeat(36), 4)), false, 'bytes, not letters')
})

t.test('anything else is compared with bare SHA-256', async (t) => {
  t.equal(await verifyHash(token, sha256(token)), true)
  for (const stored of [sha256('another'), sha256(token).toUpperCase(), ` ${sha256(token)}`, '', 'ü'.repeat(32)]) {
    t.equal(await verifyHash(token, stored), false, stored)
  }
})
