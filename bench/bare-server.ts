import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

// A process of its own that answers requests and does nothing else: how long its answers take beside an operation is the machine's part of `GET /status`.
const server = createServer((_request, response) => response.end('{}'))
server.listen(0, '127.0.0.1', () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
