import { type Logger, pino, stdTimeFunctions } from 'pino'
import pretty from 'pino-pretty'

export interface LogOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  readonly format: 'json' | 'console'
  /** File descriptor: 1 (the default) for a service, 2 for a command whose standard output is its answer. */
  readonly fd?: number
}

/** Names that could hold a credential, wherever an object is logged. */
const secret = ['authorization', 'x-api-key', 'token', 'password', 'secret', 'credential']

/** JSON lines with Arc's field names (`level`, `time`, `message`), or lines for people. */
export function createLog(options: LogOptions): Logger {
  const fd = options.fd ?? 1
  const destination =
    options.format === 'console'
      ? pretty({ destination: fd, sync: true, colorize: false })
      : pino.destination({ dest: fd, sync: true })
  return pino(
    {
      level: options.level,
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      base: { component: 'arc-backup' },
      redact: { paths: secret.flatMap((name) => [`["${name}"]`, `*["${name}"]`]), censor: '***' },
      ...(options.format === 'json' && { formatters: { level: (label: string) => ({ level: label }) } }),
    },
    destination,
  )
}
