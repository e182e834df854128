/** One server-sent event. */
export interface StreamEvent {
  readonly event: string
  readonly id: string
  readonly data: string
}

/** Splits what has come so far into whole events and the rest. Comments and `retry` are left out. */
export function takeEvents(text: string): { events: StreamEvent[]; rest: string } {
  const blocks = text.split('\n\n')
  const rest = blocks.pop() ?? ''
  const events: StreamEvent[] = []
  for (const block of blocks) {
    const fields: Record<string, string> = {}
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':')
      if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart()
    }
    const { event = 'message', id = '', data } = fields
    if (data !== undefined) events.push({ event, id, data })
  }
  return { events, rest }
}
