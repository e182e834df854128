import { useState } from 'preact/hooks'
import type { Api } from './api.js'
import { count, formatAge, formatCount, formatSize, formatTime } from './format.js'
import type { Live } from './live.js'
import { useLoaded } from './loaded.js'
import { Badge, Heading, Problem, Warnings } from './parts.js'
import { Progress } from './progress.js'
import { hrefOf } from './route.js'
import type { Backup, BackupList } from './schemas.js'
import { Standing } from './standing.js'
import { StartBackup } from './start-backup.js'

/** All backups of all targets, and what goes on. */
export function Backups({ api, live }: { api: Api; live: Live }) {
  const { value: list, error } = useLoaded<BackupList>(api, '', live.epoch)
  const [isStarting, setStarting] = useState(false)
  const isBusy = live.operation?.status === 'running'
  const backups = list?.backups ?? []
  return (
    <>
      <div class="row title">
        <Heading>Backups</Heading>
        <button type="button" disabled={isBusy} onClick={() => setStarting(true)}>
          New backup
        </button>
      </div>
      <Progress api={api} live={live} />
      <Standing api={api} live={live} />
      <Problem error={error} />
      <Warnings lines={list?.warnings} />
      {list && backups.length === 0 && <p class="card empty">There is no backup yet. Make the first one.</p>}
      {backups.length > 0 && (
        <table class="stack">
          <caption>{count(backups.length, 'backup')}, newest first</caption>
          <thead>
            <tr>
              <th scope="col">Backup</th>
              <th scope="col">Age</th>
              <th scope="col">Target</th>
              <th scope="col" class="number">
                Size
              </th>
              <th scope="col" class="number">
                Files
              </th>
              <th scope="col" class="number">
                Reused
              </th>
              <th scope="col">Verified</th>
            </tr>
          </thead>
          <tbody>
            {backups.map((backup) => (
              <Row key={`${backup.target}/${backup.backup_id}`} backup={backup} />
            ))}
          </tbody>
        </table>
      )}
      {isStarting && <StartBackup api={api} targets={targetsOf(backups)} onClose={() => setStarting(false)} />}
    </>
  )
}

function Row({ backup }: { backup: Backup }) {
  const { reused_files: reused, reused_bytes: bytes, skipped_files: skipped, scope } = backup
  return (
    <tr>
      <th scope="row">
        <a href={hrefOf('backup', backup.backup_id, backup.target)}>{backup.backup_id}</a>
        {skipped ? <Badge kind="warn">{formatCount(skipped)} files missing</Badge> : null}
        {scope && <span class="quiet"> only {scope.join(', ')}</span>}
      </th>
      <td data-label="Age" title={formatTime(backup.created_at)}>
        {formatAge(backup.created_at, Date.now())}
      </td>
      <td data-label="Target">{backup.target}</td>
      <td data-label="Size" class="number">
        {formatSize(backup.total_size_bytes)}
      </td>
      <td data-label="Files" class="number">
        {formatCount(backup.total_files)}
      </td>
      <td data-label="Reused" class="number" title={reused ? `${formatCount(reused)} files` : ''}>
        {reused ? formatSize(bytes ?? 0) : '–'}
      </td>
      <td data-label="Verified">
        <Verified backup={backup} />
      </td>
    </tr>
  )
}

export function Verified({ backup: { verified, verified_at } }: { backup: Pick<Backup, 'verified' | 'verified_at'> }) {
  if (!verified) return <span class="quiet">not yet</span>
  return (
    <span title={verified_at ? formatTime(verified_at) : ''}>
      <Badge kind={verified === 'damaged' ? 'bad' : 'good'}>{verified}</Badge>{' '}
      {verified_at && <span class="quiet">{formatAge(verified_at, Date.now())}</span>}
    </span>
  )
}

function targetsOf(backups: readonly Backup[]): string[] {
  return [...new Set(backups.map(({ target }) => target))].sort()
}
