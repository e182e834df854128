// A process of its own: asks for the status 20 times a second, whether or not the last answer is there, and sends the times in ms whenever it is told to.
const [url = '', token = ''] = process.argv.slice(2)
const period = 50
let latencies: number[] = []
let due = performance.now()

askNext()
process.on('message', () => {
  process.send?.(latencies)
  latencies = []
})

/** Each at its own time: an interval's ticks drift away from it, by a millisecond each. */
function askNext(): void {
  due += period
  setTimeout(
    (at: number) => {
      askNext()
      void ask(at)
    },
    due - performance.now(),
    due,
  )
}

/** @param at when it should have been asked: a stall of the probe itself must not hide one of the service */
async function ask(at: number): Promise<void> {
  const answer = await fetch(`${url}/api/v1/backup/status`, { headers: { authorization: `Bearer ${token}` } })
  await answer.text()
  if (answer.status !== 200) throw new Error(`the status answered ${answer.status}`)
  latencies.push(performance.now() - at)
}
