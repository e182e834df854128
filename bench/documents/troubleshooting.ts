import { STATUS_CODES } from 'node:http'
import { exitCodeOf, exitCodes } from '../../src/cli/exit-code.js'
import { errorCodes, ServiceError } from '../../src/errors.js'

const opening = `# When something goes wrong

<!-- Written by \`npm run docs\` from the table of codes in src/errors.ts. -->

Every failure has a code: as \`code\` in the answer to a request, as \`error_code\` in a status, and in the log. The message beside it names the path and the store, and
says what was expected. Each answer has a \`request_id\`, which is in the lines of the log about it, too.

A command ends with ${describeExits()}.

`

/** `docs/troubleshooting.md`: every code, what it means and what to do. */
export function describeErrors(): string {
  const rows = [...errorCodes].sort().map((code) => {
    const error = new ServiceError(code, '')
    const { status, retry, meaning, hint = 'The message says it.' } = error
    const exit = exitCodeOf(error)
    const does = hint.charAt(0).toUpperCase() + hint.slice(1) + (hint.endsWith('.') ? '' : '.')
    return `| \`${code}\` | ${meaning} | ${does} | ${status} ${STATUS_CODES[status]} | ${retry ? 'yes' : 'no'} | ${exit} |`
  })
  const head = [
    '| Code | What has happened | What to do | HTTP | Time alone can heal it | Exit code |',
    '|---|---|---|---|---|---|',
  ]
  return `${opening}${[...head, ...rows].join('\n')}\n`
}

function describeExits(): string {
  const meanings: Readonly<Record<keyof typeof exitCodes, string>> = {
    done: 'it is done',
    failed: 'it failed',
    usage: 'the command, the request or the configuration is wrong',
    busy: 'another operation runs',
    gaps: 'a backup is completed, with gaps that its manifest names',
  }
  return Object.entries(exitCodes)
    .map(([name, code]) => `${code} where ${meanings[name as keyof typeof exitCodes]}`)
    .join(', ')
}
