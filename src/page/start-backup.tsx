import { useState } from 'preact/hooks'
import { type Api, ApiError } from './api.js'
import { Checkbox, Dialog, Problem, Select } from './parts.js'

/** Starts a backup with what may be chosen of it. */
export function StartBackup({ api, targets, onClose }: { api: Api; targets: readonly string[]; onClose: () => void }) {
  const [databases, setDatabases] = useState('')
  const [target, setTarget] = useState('')
  const [metadata, setMetadata] = useState(true)
  const [configuration, setConfiguration] = useState(true)
  const [whole, setWhole] = useState(false)
  const [error, setError] = useState<ApiError | null>(null)
  const names = databases
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const start = (event: Event): void => {
    event.preventDefault()
    const body = {
      ...(names.length > 0 ? { databases: names } : { include_metadata: metadata, include_config: configuration }),
      ...(target !== '' && { target }),
      ...(whole && { incremental: false }),
    }
    api
      .call('POST', '', body)
      .then(onClose)
      .catch((failure: unknown) => {
        if (failure instanceof ApiError) setError(failure)
      })
  }
  const options = [['', 'the default target'], ...targets.map((name) => [name, name] as const)] as const
  return (
    <Dialog title="New backup" onClose={onClose}>
      <form onSubmit={start}>
        <label class="field">
          <span>Databases, separated by commas (empty: all)</span>
          <input value={databases} onInput={(event) => setDatabases(event.currentTarget.value)} />
        </label>
        {targets.length > 0 && <Select label="Target" value={target} options={options} onChange={setTarget} />}
        {names.length === 0 && (
          <>
            <Checkbox label="arc.db (tokens and settings)" checked={metadata} onChange={setMetadata} />
            <Checkbox label="arc.toml (configuration)" checked={configuration} onChange={setConfiguration} />
          </>
        )}
        <Checkbox label="Copy everything, reuse nothing of earlier backups" checked={whole} onChange={setWhole} />
        <Problem error={error} />
        <div class="row end">
          <button type="button" class="secondary" onClick={onClose}>
            Close
          </button>
          <button type="submit">Start backup</button>
        </div>
      </form>
    </Dialog>
  )
}
