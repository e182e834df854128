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
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim())
  } finally {
    terminal.close()
  }
}
