import { closeSync, openSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { ServiceError } from '../src/errors.js'
import { createLog, type LogOptions } from '../src/log.js'

function open(t: Test, options: Omit<LogOptions, 'fd'>) {
  const file = `${t.testdir({})}/log`
  const fd = openSync(file, 'w')
  t.teardown(() => closeSync(fd))
  const log = createLog({ ...options, fd })
  const lines = () => readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return { log, lines, json: () => lines().map((line) => JSON.parse(line) as Record<string, unknown>) }
}

t.test("JSON lines have Arc's names, and are written at once", async (t) => {
  const { log, json } = open(t, { level: 'info', format: 'json' })
  log.info({ files: 3 }, 'done')
  t.match(json(), [{ level: 'info', component: 'arc-backup', files: 3, message: 'done' }])
  t.match(json()[0]?.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  log.error({ err: new ServiceError('INTEGRITY', 'damaged', { path: 'a' }) }, 'failed')
  t.match(json()[1], { level: 'error', err: { code: 'INTEGRITY', message: 'damaged' } })
  log.child({ operation: 'x' }).warn('child')
  t.match(json()[2], { level: 'warn', operation: 'x', message: 'child' })
})

t.test('what is below the level is left out', async (t) => {
  const { log, json } = open(t, { level: 'warn', format: 'json' })
  log.info('no')
  log.warn('yes')
  t.match(
    json().map(({ message }) => message),
    ['yes'],
  )
  const silent = open(t, { level: 'silent', format: 'json' })
  silent.log.fatal('no')
  t.same(silent.lines(), [])
})

t.test('lines for people', async (t) => {
  const { log, lines } = open(t, { level: 'info', format: 'console' })
  log.warn({ path: 'a' }, 'look here')
  const [first = '', ...rest] = lines()
  t.match(first, /WARN.*look here/)
  t.match(rest.join('\n'), /path: "a"/)
  t.equal(first.indexOf(String.fromCharCode(27)), -1, 'without colours')
})

t.test('a name that could hold a credential is never written with its value', async (t) => {
  for (const format of ['json', 'console'] as const) {
    await t.test(format, async (t) => {
      const { log, lines } = open(t, { level: 'trace', format })
      for (const name of ['authorization', 'x-api-key', 'token', 'password', 'secret', 'credential']) {
        log.info({ [name]: 'sentinel', inner: { [name]: 'sentinel', kept: 'kept' } }, 'x')
        log.child({ [name]: 'sentinel' }).info('x')
      }
      const text = lines().join('\n')
      t.notMatch(text, 'sentinel')
      t.match(text, '***')
      t.match(text, 'kept')
    })
  }
})

t.test('what a terminal would act on is written as text, and no line can be forged', async (t) => {
  const codes = [
    ...Array.from({ length: 32 }, (_, code) => code),
    0x7f,
    0x85,
    0x9b,
    0x2028,
    0x2029,
    0x202e,
    0x2066,
    0x61c,
  ]
  const nasty = `a${String.fromCharCode(...codes)}\n{"level":"info","message":"forged"}\r\nINFO forged\u001b[2J`
  for (const format of ['json', 'console'] as const) {
    await t.test(format, async (t) => {
      const { log, lines, json } = open(t, { level: 'info', format })
      log.warn({ value: nasty, deep: [{ nasty }] }, nasty)
      log.child({ nasty }).error(nasty)
      log.error({ err: new Error(nasty) }, 'failed')
      log.error({ err: new ServiceError('INTERNAL', nasty, { path: nasty, cause: new Error(nasty) }) }, 'failed')
      log.error(new Error(nasty))
      const text = lines().join('\n')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
      t.notMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\u2066\u061c]/)
      t.match(text, '\\u001b[2J')
      t.match(text, '\\u009b')
      if (format === 'console') t.notMatch(text, /^(\{|INFO)/m, 'what follows a line break of a value is indented')
      else t.match(json(), Array(5).fill({ component: 'arc-backup' }), 'five lines of JSON')
      if (format === 'json') t.equal(json()[0]?.message, nasty, 'nothing is lost')
    })
  }
})
