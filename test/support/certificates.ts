import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'

/** A certificate and its key, as files. */
export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
}

/** An authority that openssl makes in a folder, and what it signs. */
export class Authority implements Certificate {
  readonly certFile: string
  readonly keyFile: string
  readonly #folder: string

  constructor(folder: string, name = 'authority') {
    mkdirSync(folder, { recursive: true })
    this.#folder = folder
    this.certFile = `${folder}/${name}.pem`
    this.keyFile = `${folder}/${name}.key`
    openssl('req', '-x509', ...newKey(this.keyFile), '-subj', `/CN=${name}`, '-days', '1', '-out', this.certFile)
  }

  /** One for 127.0.0.1, for either side. @param days how long it holds, from now on; 0: no more */
  sign(name: string, days = 1): Certificate {
    const [certFile, keyFile] = [`${this.#folder}/${name}.pem`, `${this.#folder}/${name}.key`]
    const [request, extensions] = [`${this.#folder}/${name}.csr`, `${this.#folder}/${name}.ext`]
    openssl('req', '-new', ...newKey(keyFile), '-subj', `/CN=${name}`, '-out', request)
    writeFileSync(extensions, 'subjectAltName = IP:127.0.0.1, DNS:localhost\n')
    const by = ['-CA', this.certFile, '-CAkey', this.keyFile, '-CAcreateserial', '-days', String(days)]
    openssl('x509', '-req', '-in', request, ...by, '-extfile', extensions, '-out', certFile)
    return { certFile, keyFile }
  }
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file]
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
