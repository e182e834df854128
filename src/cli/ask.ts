import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import { ServiceError } from '../errors.js'

/** Asks for a yes on the terminal. @throws REQUEST_INVALID where nobody can be asked: a script says `--yes`. */
export async function askToProceed(
  question: string,
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
): Promise<boolean> {
  if (!input.isTTY) throw new ServiceError('REQUEST_INVALID', `${question} Nobody can be asked here: give --yes`)
  const terminal = createInterface({ input, output })
  try {
    // Ctrl-C and Ctrl-D close the interface, and leave the question open for ever.
    const answer = await Promise.race([
      terminal.question(`${question} [y/N] `),
      once(terminal, 'close').then(() => {
        output.write('\n')
        return ''
      }),
    ])
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}
