import { type Logger, pino, stdTimeFunctions } from 'pino'
import { prettyFactory } from 'pino-pretty'

export interface LogOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  readonly format: 'json' | 'console'
  /** File descriptor: 1 (the default) for a service, 2 for a command whose standard output is its answer. */
  readonly fd?: number
}

/** Names that could hold a credential, wherever an object is logged. */
const secret = ['authorization', 'x-api-key', 'token', 'password', 'secret', 'credential']

/** What a terminal acts on instead of showing it, and what makes of one line two or turns its direction. */
const control = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu
/** A line break ends a line here, and only there: in JSON those of a value are escaped already, a console's message is escaped by itself. */
const controlInLine = /(?!\n)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu

/** JSON lines with Arc's field names (`level`, `time`, `message`), or lines for people. */
export function createLog(options: LogOptions): Logger {
  const file = pino.destination({ dest: options.fd ?? 1, sync: true })
  const toLines = options.format === 'console' ? forPeople() : (line: string) => line
  const destination = {
    write: (line: string): void => void file.write(toLines(line).replace(controlInLine, asCode)),
  }
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

function forPeople(): (line: string) => string {
  return prettyFactory({
    colorize: false,
    messageKey: 'message',
    messageFormat: ({ message = '' }) => String(message).replace(control, asCode),
  })
}

function asCode(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}
