/** One server-sent event, or a comment. */
export interface Told {
  readonly event: string
  readonly id: string
  readonly data: Record<string, unknown>
  /** When it came, in ms. */
  readonly at: number
}

export interface Listener {
  readonly status: number
  readonly headers: Headers
  readonly events: Told[]
  /** Comments, by the time they came. */
  readonly comments: number[]
  /** Resolves with the first event that fits, those that are there already included. @throws once the stream has ended without it */
  until(fits: (event: Told) => boolean): Promise<Told>
  /** Resolves when the stream has ended; with the error where it broke. */
  readonly ended: Promise<unknown>
  close(): void
}

/** Reads a stream of server-sent events by the letter of the standard, with `fetch` as a page does. */
export async function listen(url: string, headers: Record<string, string>): Promise<Listener> {
  const abort = new AbortController()
  const answer = await fetch(url, { headers, signal: abort.signal })
  const events: Told[] = []
  const comments: number[] = []
  let wake = (): void => {}
  let over = false
  const take = (block: string): void => {
    const at = performance.now()
    if (block.startsWith(':')) comments.push(at)
    const field = (name: string): string =>
      block
        .split('\n')
        .find((line) => line.startsWith(`${name}: `))
        ?.slice(name.length + 2) ?? ''
    if (field('event') === '') return
    events.push({ event: field('event'), id: field('id'), data: JSON.parse(field('data')), at })
  }
  const read = async (): Promise<unknown> => {
    let text = ''
    const decoder = new TextDecoder()
    try {
      for await (const chunk of answer.body ?? []) {
        text += decoder.decode(chunk as Uint8Array, { stream: true })
        const blocks = text.split('\n\n')
        text = blocks.pop() ?? ''
        blocks.forEach(take)
        wake()
      }
      return undefined
    } catch (error) {
      return error
    } finally {
      over = true
      wake()
    }
  }
  const ended = read()
  const until: Listener['until'] = async (fits) => {
    for (;;) {
      const found = events.find(fits)
      if (found) return found
      if (over) throw new Error(`the stream ended before that; it said ${events.map(({ event }) => event).join(', ')}`)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return { status: answer.status, headers: answer.headers, events, comments, until, ended, close: () => abort.abort() }
}
