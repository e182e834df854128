import { useState } from 'preact/hooks'
import { type Api, ApiError } from './api.js'
import { Chart } from './chart.js'
import { count, formatAge, formatCount, formatSeconds, formatSize } from './format.js'
import type { Live } from './live.js'
import { Badge, Problem, Warnings } from './parts.js'
import type { Status } from './schemas.js'

const names = { backup: 'Backup', restore: 'Restore', verify: 'Verify', prune: 'Prune', delete: 'Delete' } as const

/**
 * What runs, with a way to stop it; or how the last operation ended.
 *
 * @param about id of a backup: then only what runs, and how that one's verify ended
 */
export function Progress({ api, live, about }: { api: Api; live: Live; about?: string }) {
  const isWanted = (status: Status | null): boolean =>
    status?.status === 'running' || (status?.operation === 'verify' && status.backup_id === about)
  const operation = about === undefined || isWanted(live.operation) ? live.operation : null
  const verify = about === undefined || isWanted(live.verify) ? live.verify : null
  if (about !== undefined && !operation && !verify) return null
  return (
    <section aria-label="Operations" class="operations">
      {operation && <Operation api={api} status={operation} rates={live.rates} />}
      {!operation && !verify && <p class="quiet">Nothing has run yet.</p>}
      {verify && <Operation api={api} status={verify} rates={[]} />}
    </section>
  )
}

function Operation({ api, status, rates }: { api: Api; status: Status; rates: readonly number[] }) {
  const [error, setError] = useState<ApiError | null>(null)
  const name = names[status.operation]
  const cancel = (): void => {
    setError(null)
    api.call('POST', `/operations/${status.operation_id}/cancel`).catch((failure: unknown) => {
      if (failure instanceof ApiError) setError(failure)
    })
  }
  const isRunning = status.status === 'running'
  return (
    <article class="card operation">
      <div class="row">
        <h2>
          {name} <code>{status.backup_id}</code>
        </h2>
        <span aria-live="polite">
          {isRunning ? (
            <Badge kind="plain">{status.phase}</Badge>
          ) : (
            <Badge kind={kindOf(status)}>{wordOf(status)}</Badge>
          )}
        </span>
        {isRunning && (
          <button type="button" class="secondary" onClick={cancel}>
            Cancel {name.toLowerCase()}
          </button>
        )}
      </div>
      {isRunning ? <Running status={status} rates={rates} /> : <Ended status={status} />}
      <Problem error={error} />
    </article>
  )
}

function Running({ status, rates }: { status: Status; rates: readonly number[] }) {
  const { total_bytes: total, processed_bytes: done, eta_seconds: eta } = status
  return (
    <>
      <progress
        aria-label={`${names[status.operation]}: bytes done`}
        max={Math.max(total, 1)}
        value={Math.min(done, total)}
      />
      <dl class="facts">
        <Fact name="Done">
          {formatSize(done)} of {formatSize(total)}
        </Fact>
        <Fact name="Files">
          {formatCount(status.processed_files)} of {formatCount(status.total_files)}
        </Fact>
        <Fact name="Rate">{formatSize(status.bytes_per_second)}/s</Fact>
        <Fact name="Left">{eta === null ? 'not known yet' : formatSeconds(eta)}</Fact>
      </dl>
      {rates.length > 1 && <Chart rates={rates} />}
    </>
  )
}

function Ended({ status }: { status: Status }) {
  const { completed_at: end, started_at: start } = status
  const seconds = end ? (Date.parse(end) - Date.parse(start)) / 1000 : 0
  return (
    <>
      <p class="quiet">
        {end && `${formatAge(end, Date.now())}, in ${formatSeconds(seconds)}: `}
        {formatCount(status.processed_files)} files, {formatSize(status.processed_bytes)}
        {status.unchanged_files ? `, ${formatCount(status.unchanged_files)} were in place already` : ''}
        {status.reused_files ? `, ${formatCount(status.reused_files)} reused` : ''}
      </p>
      {status.error && <p class="problem">{status.error}</p>}
      <Warnings lines={status.warnings} />
      <Flaws status={status} />
    </>
  )
}

/** What is wrong with a backup, or was not restored. */
function Flaws({ status }: { status: Status }) {
  const found = (['damaged', 'missing', 'unexpected', 'skipped'] as const).flatMap((flaw) => {
    const files = status[`${flaw}_files`] ?? 0
    return files === 0 ? [] : [{ flaw, files, sample: status[`${flaw}_sample`] ?? [] }]
  })
  return found.map(({ flaw, files, sample }) => (
    <details key={flaw} class="problem">
      <summary>
        {count(files, 'file')} {flaw}
      </summary>
      <ul>
        {sample.map(({ path, message }) => (
          <li key={path}>
            <code>{path}</code>: {message}
          </li>
        ))}
      </ul>
    </details>
  ))
}

export function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

export function kindOf({ outcome, verified }: Pick<Status, 'outcome' | 'verified'>): 'good' | 'bad' | 'warn' {
  if (verified === 'damaged') return 'bad'
  if (outcome === 'completed') return 'good'
  return outcome === 'gaps' || outcome === 'cancelled' || outcome === 'interrupted' ? 'warn' : 'bad'
}

export function wordOf({ outcome, status, verified }: Pick<Status, 'outcome' | 'status' | 'verified'>): string {
  return verified === 'damaged' ? 'damaged' : outcome === 'gaps' ? 'completed with gaps' : (outcome ?? status)
}
