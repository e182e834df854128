import t from 'tap'
import { ProgressLine } from '../../src/cli/progress-line.js'
import { Written } from './scene.js'

const status = {
  operation: 'backup',
  phase: 'copying',
  processed_files: 3,
  total_files: 12,
  processed_bytes: 512,
  total_bytes: 1024,
  bytes_per_second: 2048,
  eta_seconds: 65,
}

t.test('one line has it all', async (t) => {
  const output = new Written()
  new ProgressLine(output).show(status)
  t.equal(
    output.text,
    `backup [${'#'.repeat(15)}${'.'.repeat(15)}]  50%  3/12 files  512 B/1.0 KiB  2.0 KiB/s  copying  ETA 1m5s\n`,
  )
})

t.test('what is not known yet is left out, or nothing so far', async (t) => {
  const output = new Written()
  new ProgressLine(output).show({ eta_seconds: null })
  t.equal(output.text, `operation [${'.'.repeat(30)}]   0%  0/0 files  0 B/0 B  0 B/s  \n`)
})

t.test('more than all is all, and not quite all is less', async (t) => {
  const output = new Written()
  const line = new ProgressLine(output)
  line.show({ ...status, processed_bytes: 2000 })
  t.match(output.text, `[${'#'.repeat(30)}] 100%`)
  line.show({ ...status, phase: 'next', processed_bytes: 1023 })
  t.match(output.text, /] +99%.*next/)
})

t.test('a terminal has one line, redrawn and never wider than it, and gone at the end', async (t) => {
  const output = new Written(true, 40)
  const line = new ProgressLine(output)
  line.show(status)
  line.show({ ...status, processed_bytes: 1024 })
  const [, first, second] = output.text.split('\r\x1b[2K')
  t.equal(first, `backup [${'#'.repeat(15)}${'.'.repeat(15)}]`)
  t.equal(second, `backup [${'#'.repeat(30)}]`)
  t.notMatch(output.text, '\n')
  output.text = ''
  line.end()
  t.equal(output.text, '\r\x1b[2K')

  const wide = new Written(true)
  new ProgressLine(wide).show({ ...status, phase: 'x'.repeat(200) })
  t.equal(wide.text.replace('\r\x1b[2K', '').length, 119, 'a terminal that does not tell its width')
})

t.test('elsewhere there is a line for each phase, and one every five seconds', async (t) => {
  const output = new Written()
  const line = new ProgressLine(output)
  const lines = () => output.text.split('\n').length - 1
  line.show(status, 10_000)
  line.show(status, 14_999)
  t.equal(lines(), 1)
  line.show(status, 15_000)
  t.equal(lines(), 2)
  line.show({ ...status, phase: 'finishing' }, 15_001)
  t.equal(lines(), 3)
  line.end()
  t.equal(lines(), 3)
  t.notMatch(output.text, '\x1b')
})
