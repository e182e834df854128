import { useState } from 'preact/hooks'
import { type Api, ApiError } from './api.js'
import { Verified } from './backups.js'
import { formatCount, formatSize, formatTime } from './format.js'
import type { Live } from './live.js'
import { useLoaded } from './loaded.js'
import { Dialog, Heading, Problem, Select, Warnings } from './parts.js'
import { Fact, Progress } from './progress.js'
import { hrefOf } from './route.js'
import type { BackupList, Manifest } from './schemas.js'

const levels = [
  ['quick', 'quick: names and sizes'],
  ['full', 'full: every byte'],
  ['deep', 'deep: what the files are, too'],
] as const

/** One backup: what it holds, and what can be done with it. */
export function BackupView({ api, live, id, target }: { api: Api; live: Live; id: string; target: string }) {
  const query = `?target=${encodeURIComponent(target)}`
  const { value: manifest, error } = useLoaded<Manifest>(api, `/${id}${query}`, live.epoch)
  const { value: list } = useLoaded<BackupList>(api, '', live.epoch)
  const [level, setLevel] = useState('full')
  const [failure, setFailure] = useState<ApiError | null>(null)
  const [isDeleting, setDeleting] = useState(false)
  const summary = list?.backups.find((backup) => backup.backup_id === id && backup.target === target)
  const verify = (): void => {
    setFailure(null)
    api.call('POST', `/${id}/verify${query}`, { level }).catch((reason: unknown) => {
      if (reason instanceof ApiError) setFailure(reason)
    })
  }
  return (
    <>
      <p>
        <a href="#/">← All backups</a>
      </p>
      <Heading>{id}</Heading>
      <Problem error={error} />
      {manifest && (
        <>
          <dl class="facts card">
            <Fact name="Made">{formatTime(manifest.created_at)}</Fact>
            <Fact name="Target">{target}</Fact>
            <Fact name="Size">{formatSize(manifest.total_size_bytes)}</Fact>
            <Fact name="Files">{formatCount(manifest.total_files)}</Fact>
            {manifest.reused_files ? (
              <Fact name="Reused">
                {formatCount(manifest.reused_files)} files, {formatSize(manifest.reused_bytes ?? 0)}
              </Fact>
            ) : null}
            <Fact name="arc.db">{manifest.has_metadata ? 'in the backup' : 'not in the backup'}</Fact>
            <Fact name="arc.toml">{manifest.has_config ? 'in the backup' : 'not in the backup'}</Fact>
            <Fact name="Verified">{summary ? <Verified backup={summary} /> : '–'}</Fact>
            <Fact name="Written by">{manifest.version}</Fact>
          </dl>
          <Warnings lines={manifest.warnings} />
          <div class="row actions">
            <a class="button" href={hrefOf('restore', id, target)}>
              Restore…
            </a>
            <span class="row group">
              <Select label="Verify" value={level} options={levels} onChange={setLevel} />
              <button type="button" class="secondary" disabled={live.verify?.status === 'running'} onClick={verify}>
                Start verify
              </button>
            </span>
            <button type="button" class="danger" onClick={() => setDeleting(true)}>
              Delete…
            </button>
          </div>
          <Problem error={failure} />
          <Progress api={api} live={live} about={id} />
          <Databases manifest={manifest} />
        </>
      )}
      {isDeleting && <Delete api={api} id={id} query={query} onClose={() => setDeleting(false)} />}
    </>
  )
}

function Databases({ manifest }: { manifest: Manifest }) {
  return (
    <section aria-labelledby="databases">
      <h2 id="databases">Databases</h2>
      {(manifest.databases ?? []).map(({ name, file_count, size_bytes, measurements }) => (
        <details key={name} class="card" open={(manifest.databases ?? []).length <= 3}>
          <summary>
            <strong>{name}</strong>{' '}
            <span class="quiet">
              {formatCount(measurements.length)} measurements, {formatCount(file_count)} files, {formatSize(size_bytes)}
            </span>
          </summary>
          <table>
            <caption class="hidden">Measurements of {name}</caption>
            <thead>
              <tr>
                <th scope="col">Measurement</th>
                <th scope="col" class="number">
                  Files
                </th>
                <th scope="col" class="number">
                  Size
                </th>
              </tr>
            </thead>
            <tbody>
              {measurements.map((measurement) => (
                <tr key={measurement.name}>
                  <th scope="row">{measurement.name}</th>
                  <td class="number">{formatCount(measurement.file_count)}</td>
                  <td class="number">{formatSize(measurement.size_bytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      ))}
    </section>
  )
}

function Delete({ api, id, query, onClose }: { api: Api; id: string; query: string; onClose: () => void }) {
  const [error, setError] = useState<ApiError | null>(null)
  const [isAsking, setAsking] = useState(false)
  const remove = (): void => {
    setAsking(true)
    api
      .call('DELETE', `/${id}${query}`)
      .then(() => {
        location.hash = '#/'
      })
      .catch((failure: unknown) => {
        setAsking(false)
        if (failure instanceof ApiError) setError(failure)
      })
  }
  return (
    <Dialog title="Delete this backup?" onClose={onClose}>
      <p>
        <code>{id}</code> and all its files are removed for good.
      </p>
      <Problem error={error} />
      <div class="row end">
        <button type="button" class="secondary" onClick={onClose}>
          Keep it
        </button>
        <button type="button" class="danger" disabled={isAsking} onClick={remove}>
          Delete backup
        </button>
      </div>
    </Dialog>
  )
}
