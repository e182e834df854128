import { execFileSync } from 'node:child_process'
import t from 'tap'
import { signatureHeaders } from '../../src/notify/signature.js'

/** OpenSSL's word for it. @param key hex */
function hmac(key: string, text: string): string {
  return execFileSync('openssl', ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${key}`, '-binary'], {
    input: text,
  }).toString('base64')
}

t.test('the headers of Standard Webhooks, with the signature that OpenSSL computes', async (t) => {
  const body = '{"type":"backup.completed","ü":1}'
  t.same(signatureHeaders('a secret of ours', 'op_1', 1_795_429_845_999, body), {
    'webhook-id': 'op_1',
    'webhook-timestamp': '1795429845',
    'webhook-signature': `v1,${hmac(Buffer.from('a secret of ours').toString('hex'), `op_1.1795429845.${body}`)}`,
  })
})

t.test('a secret that begins with whsec_ is base64', async (t) => {
  // Key, message and signature of the example in the specification of Standard Webhooks.
  const { 'webhook-signature': signature } = signatureHeaders(
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'msg_p5jXN8AQM9LWM0D4loKWxJek',
    1_614_265_330_000,
    '{"test": 2432232314}',
  )
  t.equal(signature, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
})
