import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { addAbortSignal } from 'node:stream'
import { createSecureContext, type SecureContext } from 'node:tls'
import { ServiceError } from '../errors.js'

/** Files (PEM) of who asks, and of whom it trusts; with curl's meaning of these words. */
export interface TlsFiles {
  /** Shown to a service that asks for one. */
  readonly cert?: string | undefined
  /** Its key, where that is not in the same file. */
  readonly key?: string | undefined
  /** Authorities in place of those that Node knows. */
  readonly cacert?: string | undefined
}

export interface Sent {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Breaks off the answer's body, too. */
  readonly signal: AbortSignal
}

/** Requests to one service. On node:http, since `fetch` can show no certificate without a package more. Follows no redirect: after one a POST is a GET, whose answer would be taken for its own. */
export class Sender {
  readonly #agent: http.Agent
  readonly #module: typeof http | typeof https

  /** @throws REQUEST_INVALID where a file is not what it should be: nothing is sent then */
  constructor(url: URL, files: TlsFiles) {
    const isSecure = url.protocol === 'https:'
    this.#module = isSecure ? https : http
    // Of its own, so that no connection is shared with whoever shows another certificate.
    this.#agent = isSecure
      ? new https.Agent({ keepAlive: true, secureContext: contextOf(files) })
      : new http.Agent({ keepAlive: true })
  }

  /** Resolves with the head of the answer. */
  send(url: URL, { method, headers, body, signal }: Sent): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = this.#module.request(url, { method, headers, agent: this.#agent, signal })
      request.on('error', reject)
      request.on('response', (answer) => {
        // Who reads learns of it there; who does not read must not end by it.
        answer.on('error', () => {})
        addAbortSignal(signal, answer)
        resolve(answer)
      })
      request.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

function contextOf({ cert, key, cacert }: TlsFiles): SecureContext {
  if (key !== undefined && cert === undefined)
    throw new ServiceError('REQUEST_INVALID', "--key is a certificate's: it needs --cert")
  const shown = cert === undefined ? undefined : certificateIn(cert, '--cert')
  const trusted = cacert === undefined ? undefined : certificateIn(cacert, '--cacert')
  try {
    return createSecureContext({
      ...(shown && { cert: shown, key: key === undefined ? shown : read(key, '--key') }),
      ...(trusted && { ca: trusted }),
    })
  } catch (error) {
    if (error instanceof ServiceError) throw error
    const which = key === undefined ? `key in ${cert} (--cert)` : `${key} (--key)`
    throw new ServiceError('REQUEST_INVALID', `${which} is not the key of that certificate, or has a passphrase`)
  }
}

function certificateIn(file: string, option: string): string {
  const text = read(file, option)
  try {
    new X509Certificate(text)
    return text
  } catch {
    throw new ServiceError('REQUEST_INVALID', `there is no certificate (PEM) in ${file} (${option})`)
  }
}

function read(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown'
    throw new ServiceError('REQUEST_INVALID', `cannot read ${file} (${option}): ${why}`)
  }
}
