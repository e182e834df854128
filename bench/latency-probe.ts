// A process of its own: asks for the status 20 times a second, whether or not the last answer is there, and sends the times in ms whenever it is told to.
const [url = '', token = ''] = process.argv.slice(2)
const period = 50
let latencies: number[] = []
const began = performance.now()

setInterval(() => void ask(), period)
process.on('message', () => {
  process.send?.(latencies)
  latencies = []
})

async function ask(): Promise<void> {
  // From when it should have been asked: a stall of the probe itself must not hide one of the service.
  const due = began + Math.round((performance.now() - began) / period) * period
  const answer = await fetch(`${url}/api/v1/backup/status`, { headers: { authorization: `Bearer ${token}` } })
  await answer.text()
  if (answer.status !== 200) throw new Error(`the status answered ${answer.status}`)
  latencies.push(Math.max(0, performance.now() - due))
}
