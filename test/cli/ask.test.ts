import { PassThrough } from 'node:stream'
import t from 'tap'
import { askToProceed } from '../../src/cli/ask.js'

function terminal(isTTY: boolean) {
  const [input, output] = [Object.assign(new PassThrough(), { isTTY }), new PassThrough()]
  const ask = () =>
    askToProceed('Sure?', input as unknown as NodeJS.ReadStream, output as unknown as NodeJS.WriteStream)
  return { input, output, ask }
}

t.test('only a yes is a yes', async (t) => {
  for (const [answer, expected] of [
    ['y', true],
    ['yes', true],
    [' YES ', true],
    ['Y', true],
    ['', false],
    ['n', false],
    ['no', false],
    ['yess', false],
    ['ja', false],
  ] as const) {
    const { input, output, ask } = terminal(true)
    const asked = ask()
    input.write(`${answer}\n`)
    t.equal(await asked, expected, answer)
    t.equal(String(output.read()), 'Sure? [y/N] ')
  }
})

t.test('the end of the input is a no, and what follows starts on a line of its own', async (t) => {
  const { input, output, ask } = terminal(true)
  const asked = ask()
  input.end()
  t.equal(await asked, false)
  t.equal(String(output.read()), 'Sure? [y/N] \n')
})

t.test('nobody is asked where there is no terminal', async (t) => {
  const { input, output, ask } = terminal(false)
  input.end('y\n')
  await t.rejects(ask(), { code: 'REQUEST_INVALID', message: 'Sure? Nobody can be asked here: give --yes' })
  t.equal(output.read(), null)
})
