import t from 'tap'
import { extractCredential } from '../../src/auth/credential.js'

const extract = (authorization: string, apiKey = '', query = '') => extractCredential({ authorization, apiKey, query })

t.test('the first place that is not empty counts', async (t) => {
  t.equal(extract('Bearer abc', 'key', 'query'), 'abc')
  t.equal(extract('Token abc', 'key', 'query'), 'abc')
  t.equal(extract('', 'key', 'query'), 'key')
  t.equal(extract('', '', 'query'), 'query')
  t.equal(extract(''), null)
})

t.test('a scheme is taken to the letter, with one space', async (t) => {
  t.equal(extract('Bearer  abc'), ' abc')
  t.equal(extract('Bearer abc '), 'abc ')
  t.equal(extract('Bearer Token abc'), 'Token abc')
})

t.test('another scheme is taken whole, and hides the places after it', async (t) => {
  for (const whole of ['bearer abc', 'BEARER abc', 'token abc', 'Basic eDp5', 'Bearerabc', 'Bearer\tabc', 'abc', ' ']) {
    t.equal(extract(whole, 'key', 'query'), whole)
  }
})

t.test('a scheme with nothing behind it is no token, and hides the places after it too', async (t) => {
  for (const empty of ['Bearer ', 'Token ', 'Bearer', 'Token']) t.equal(extract(empty, 'key', 'query'), null, empty)
})
