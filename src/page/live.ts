import { useEffect, useState } from 'preact/hooks'
import type { Api } from './api.js'
import type { Status } from './schemas.js'

/** How many points the chart of an operation has. */
const samplesKept = 240

export interface Live {
  /** The backup or restore that runs, or ran last. */
  readonly operation: Status | null
  /** The verify that runs beside it, or ran last while this page was open. */
  readonly verify: Status | null
  /** Bytes a second of the running operation, oldest first. */
  readonly rates: readonly number[]
  readonly connected: boolean
  /** Changes whenever something has ended, or the connection is back: lists are to be read again. */
  readonly epoch: number
}

const nothing: Live = { operation: null, verify: null, rates: [], connected: true, epoch: 0 }

/** Follows what goes on at the service. */
export function useLive(api: Api): Live {
  const [live, setLive] = useState(nothing)
  useEffect(() => {
    const leaving = new AbortController()
    const onStatus = (status: Status): void => setLive((known) => take(known, status))
    const onLine = (connected: boolean): void => {
      setLive((known) => {
        if (known.connected === connected) return known
        return { ...known, connected, epoch: known.epoch + (connected ? 1 : 0) }
      })
    }
    api
      .call<Status | { status: 'idle' }>('GET', '/status')
      .then((status) => {
        if (status.status !== 'idle') onStatus(status)
      })
      .catch(() => {})
    void api.follow(onStatus, onLine, leaving.signal)
    return () => leaving.abort()
  }, [api])
  return live
}

function take(known: Live, status: Status): Live {
  const slot = status.operation === 'verify' ? 'verify' : 'operation'
  const before = known[slot]
  const isOther = before?.operation_id !== status.operation_id
  // What a stream repeats after it was broken is older than what was asked for meanwhile.
  if (!isOther && before?.status !== 'running' && status.status === 'running') return known
  const ended = status.status !== 'running' && (isOther || before?.status === 'running')
  const rates = slot === 'verify' ? known.rates : isOther ? [] : known.rates
  const more = slot === 'operation' && status.status === 'running' ? [...rates, status.bytes_per_second] : rates
  return { ...known, [slot]: status, rates: more.slice(-samplesKept), epoch: known.epoch + (ended ? 1 : 0) }
}
