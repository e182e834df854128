import { Agent, request as httpRequest } from 'node:http'
import type { Json } from './client.js'
import { type LoadRequest, type LoadSubject, loadRequests } from './load-requests.js'

/** What the process of the clients is told: how to send, or to stop and report. */
export type Order = Load | 'stop'

interface Load extends LoadSubject {
  readonly url: string
  readonly clients: number
  /** Requests of all clients together. */
  readonly perSecond: number
}

/** What it reports, by the kind of request. */
export type Report = Readonly<Record<string, KindReport>>

export interface KindReport {
  /** Ms, from when each request was due. */
  readonly latencies: number[]
  /** How much of that had gone by when it left: this process had no core. */
  readonly late: number[]
  /** How often each status came; a system error's code where no answer came. */
  readonly answers: Record<string, number>
  /** The first answers that were wrong. */
  readonly flaws: string[]
  wrong: number
}

/** An answer that is not there by then is none (ms). */
const patience = 15_000
const flawsKept = 5

// A process of its own with some clients, each with its connections. Requests go out when they are due, whether or not earlier ones have been answered, and their time
// counts from then: a stall of the service, or of this process, is counted for every request that fell into it.
let stop: (() => Promise<Report>) | undefined
const agents: Agent[] = []

process.on('message', (order: Order) => {
  if (order !== 'stop') stop = run(order)
  else void stop?.().then((report) => process.send?.(report))
})

function run({ url, clients, perSecond, ...subject }: Load): () => Promise<Report> {
  const requests = loadRequests(subject)
  while (agents.length < clients) agents.push(new Agent({ keepAlive: true }))
  const report: Record<string, KindReport> = {}
  const underWay = new Set<Promise<void>>()
  const began = performance.now()
  const period = 1000 / perSecond
  let sent = 0
  const timer = setInterval(() => {
    for (let due = began + sent * period; due <= performance.now(); due = began + sent * period) {
      const [wanted, agent] = [requests[sent % requests.length], agents[sent % clients]]
      sent += 1
      if (!wanted || !agent) continue
      const own = report[wanted.kind] ?? { latencies: [], late: [], answers: {}, flaws: [], wrong: 0 }
      report[wanted.kind] = own
      own.late.push(performance.now() - due)
      const asked = ask(url, wanted, agent, due, own).finally(() => underWay.delete(asked))
      underWay.add(asked)
    }
  }, 1)
  return async () => {
    clearInterval(timer)
    await Promise.all(underWay)
    return report
  }
}

async function ask(url: string, wanted: LoadRequest, agent: Agent, due: number, report: KindReport): Promise<void> {
  let outcome: string
  let flaw: string | null
  try {
    const { status, text } = await send(url, wanted, agent)
    outcome = String(status)
    flaw = flawOf(wanted, status, text)
  } catch (error) {
    outcome = (error as NodeJS.ErrnoException).code ?? String(error)
    flaw = 'no whole answer'
  }
  report.latencies.push(performance.now() - due)
  report.answers[outcome] = (report.answers[outcome] ?? 0) + 1
  if (flaw === null) return
  report.wrong += 1
  if (report.flaws.length < flawsKept) report.flaws.push(`${outcome}: ${flaw}`)
}

/** Rejects where the connection ends before the whole answer is there. */
function send(url: string, wanted: LoadRequest, agent: Agent): Promise<{ status: number; text: string }> {
  const { method, path, token, body = '' } = wanted
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(method === 'POST' && { 'content-type': 'application/json', 'content-length': body.length }),
    }
    const signal = AbortSignal.timeout(patience)
    const request = httpRequest(`${url}/api/v1/backup${path}`, { method, headers, agent, signal }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

function flawOf(wanted: LoadRequest, status: number, text: string): string | null {
  try {
    const flaw = wanted.flaw(status, JSON.parse(text) as Json)
    return flaw && `${flaw}: ${text.slice(0, 200)}`
  } catch {
    return `no JSON: ${text.slice(0, 200)}`
  }
}
