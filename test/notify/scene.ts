import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import type { Test } from 'tap'
import type { News } from '../../src/notify/news.js'

/** A backup that completed. */
export const news: News = {
  type: 'backup.completed',
  at: '2026-11-23T10:30:45.583188Z',
  operation: {
    operation: 'backup',
    operation_id: '0123456789ab',
    backup_id: 'backup-20261123-103045-c526b8a7',
    outcome: 'completed',
    target: 'local',
    requested_by: 'schedule',
    completed_at: '2026-11-23T10:30:45.583188Z',
  },
}

export type Line = Record<string, unknown>

/** A log that is kept. */
export function openLog() {
  const lines: Line[] = []
  const log = pino(
    { level: 'trace', messageKey: 'message' },
    { write: (line: string) => void lines.push(JSON.parse(line)) },
  )
  return { lines, log }
}

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A receiver of webhooks that answers these codes one after another, 0 for none at all, and the last of them from then on. */
export async function receive(t: Test, ...codes: number[]) {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const { method = '', url: path = '', headers } = request
    received.push({ method, path, headers, body })
    const code = codes[Math.min(received.length, codes.length) - 1] ?? 204
    if (code === 0) return
    response.writeHead(code, { location: '/elsewhere' }).end('said')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/arc?key=SENTINEL` }
}
