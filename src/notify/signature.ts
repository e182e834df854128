import { createHmac } from 'node:crypto'

/**
 * The headers by which a receiver knows that a request came from who has the secret, by the rules of Standard Webhooks: `v1,` and the HMAC-SHA256 (base64) of id,
 * timestamp and body with dots between them.
 *
 * @param secret its bytes are the key; one that begins with `whsec_` is base64 after that
 * @param at ms since the epoch: a receiver refuses what is old
 */
export function signatureHeaders(secret: string, id: string, at: number, body: string): Record<string, string> {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret)
  const timestamp = String(Math.floor(at / 1000))
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}
