import { useEffect, useState } from 'preact/hooks'
import { type Api, ApiError } from './api.js'
import { formatCount, formatSeconds, formatSize, formatTime } from './format.js'
import type { Live } from './live.js'
import { Badge, Heading, Problem } from './parts.js'
import { kindOf, wordOf } from './progress.js'
import type { Operation } from './schemas.js'

const perPage = 50

/** What was done, by whom, and how it ended. */
export function Journal({ api, live }: { api: Api; live: Live }) {
  const [operations, setOperations] = useState<readonly Operation[]>([])
  const [isMore, setMore] = useState(false)
  const [error, setError] = useState<ApiError | null>(null)
  const load = (before?: string): void => {
    const query = `?limit=${perPage}${before === undefined ? '' : `&before=${before}`}`
    api
      .call<{ operations: Operation[] }>('GET', `/operations${query}`)
      .then(({ operations: page }) => {
        setOperations((known) => (before === undefined ? page : [...known, ...page]))
        setMore(page.length === perPage)
        setError(null)
      })
      .catch(tell)
  }
  const tell = (failure: unknown): void => {
    if (failure instanceof ApiError) setError(failure)
  }
  const act = (operation: Operation, what: 'resume' | 'discard'): void => {
    api
      .call('POST', `/operations/${operation.operation_id}/${what}`)
      .then(() => load())
      .catch(tell)
  }
  useEffect(() => load(), [api, live.epoch])
  return (
    <>
      <Heading>Journal</Heading>
      <Problem error={error} />
      <table class="stack">
        <caption>Operations, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Started</th>
            <th scope="col">Operation</th>
            <th scope="col">Backup</th>
            <th scope="col">Outcome</th>
            <th scope="col" class="number">
              Time
            </th>
            <th scope="col" class="number">
              Files
            </th>
            <th scope="col" class="number">
              Size
            </th>
            <th scope="col">By</th>
          </tr>
        </thead>
        <tbody>
          {operations.map((operation) => (
            <Row key={operation.operation_id} operation={operation} onAct={act} />
          ))}
        </tbody>
      </table>
      {isMore && (
        <button type="button" class="secondary" onClick={() => load(operations.at(-1)?.operation_id)}>
          Show older ones
        </button>
      )}
    </>
  )
}

function Row(props: { operation: Operation; onAct: (operation: Operation, what: 'resume' | 'discard') => void }) {
  const { operation, onAct } = props
  const { completed_at: end, started_at: start } = operation
  return (
    <tr>
      <th scope="row">{formatTime(start)}</th>
      <td data-label="Operation">{operation.operation}</td>
      <td data-label="Backup">
        <code>{operation.backup_id}</code>
      </td>
      <td data-label="Outcome">
        {operation.status === 'running' ? (
          <Badge kind="plain">running</Badge>
        ) : (
          <Badge kind={kindOf(operation)}>{wordOf(operation)}</Badge>
        )}
        {operation.error && <span class="quiet why"> {operation.error}</span>}
        {operation.resumable && (
          <span class="row">
            <button type="button" class="secondary" onClick={() => onAct(operation, 'resume')}>
              Resume
            </button>
            <button type="button" class="secondary" onClick={() => onAct(operation, 'discard')}>
              Discard
            </button>
          </span>
        )}
      </td>
      <td data-label="Time" class="number">
        {end ? formatSeconds((Date.parse(end) - Date.parse(start)) / 1000) : '–'}
      </td>
      <td data-label="Files" class="number">
        {formatCount(operation.processed_files ?? 0)}
      </td>
      <td data-label="Size" class="number">
        {formatSize(operation.processed_bytes ?? 0)}
      </td>
      <td data-label="By">{operation.requested_by}</td>
    </tr>
  )
}
