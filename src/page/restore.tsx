import { useState } from 'preact/hooks'
import { type Api, ApiError } from './api.js'
import { formatTime } from './format.js'
import { useLoaded } from './loaded.js'
import { Checkbox, Heading, Problem, Select } from './parts.js'
import { Plan } from './plan.js'
import { hrefOf } from './route.js'
import type { Manifest, RestorePlan } from './schemas.js'

/** What a restore is asked for, as the form has it. */
interface Wishes {
  readonly names: readonly string[] | null
  readonly data: boolean
  readonly metadata: boolean
  readonly configuration: boolean
  readonly mode: string
  readonly compare: string
  readonly staging: string
  readonly allOrNothing: boolean
}

const usual: Wishes = {
  names: null,
  data: true,
  metadata: true,
  configuration: false,
  mode: 'merge',
  compare: 'hash',
  staging: 'all',
  allOrNothing: false,
}

/** Chooses what to restore, shows what that would do, and starts it once the backup's name has been typed. */
export function Restore({ api, id, target }: { api: Api; id: string; target: string }) {
  const { value: manifest, error: unread } = useLoaded<Manifest>(api, `/${id}?target=${encodeURIComponent(target)}`, 0)
  const [wishes, setWishes] = useState(usual)
  const [plan, setPlan] = useState<RestorePlan | null>(null)
  const [typed, setTyped] = useState('')
  const [error, setError] = useState<ApiError | null>(null)
  const [isAsking, setAsking] = useState(false)
  const change = (more: Partial<Wishes>): void => {
    setWishes({ ...wishes, ...more })
    setPlan(null)
    setTyped('')
  }
  const ask = <T,>(body: Record<string, unknown>, then: (answer: T) => void): void => {
    setAsking(true)
    setError(null)
    api
      .call<T>('POST', '/restore', { ...requestOf(id, target, wishes), ...body })
      .then(then)
      .catch((failure: unknown) => {
        if (!(failure instanceof ApiError)) return
        setError(failure)
        if (failure.body.code === 'PLAN_CHANGED') setPlan(null)
      })
      .finally(() => setAsking(false))
  }
  const look = (event: Event): void => {
    event.preventDefault()
    ask<RestorePlan>({ dry_run: true }, setPlan)
  }
  const start = (event: Event): void => {
    event.preventDefault()
    ask({ confirm: true, plan_id: plan?.plan_id }, () => {
      location.hash = '#/'
    })
  }
  return (
    <>
      <p>
        <a href={hrefOf('backup', id, target)}>← Back to the backup</a>
      </p>
      <Heading>Restore {id}</Heading>
      <Problem error={unread} />
      {manifest && (
        <form class="card" onSubmit={look}>
          <p class="quiet">
            Made {formatTime(manifest.created_at)}, at {target}.
          </p>
          <Scope manifest={manifest} wishes={wishes} change={change} />
          <Ways wishes={wishes} change={change} />
          <button type="submit" class={plan ? 'secondary' : ''} disabled={isAsking || !wants(wishes)}>
            Show what would change
          </button>
        </form>
      )}
      <div aria-live="polite">{isAsking && <p>Looking at all files…</p>}</div>
      <Problem error={error} />
      {plan && (
        <section class="card" aria-labelledby="plan">
          <h2 id="plan">What this restore would do</h2>
          <Plan plan={plan} />
          <form onSubmit={start}>
            <label class="field">
              <span>
                Type <code>{id}</code> to restore it over the live data
              </span>
              <input
                autocomplete="off"
                spellcheck={false}
                value={typed}
                onInput={(event) => setTyped(event.currentTarget.value)}
              />
            </label>
            <button type="submit" class="danger" disabled={isAsking || typed.trim() !== id}>
              Start restore
            </button>
          </form>
        </section>
      )}
    </>
  )
}

interface FormPart {
  readonly wishes: Wishes
  readonly change: (more: Partial<Wishes>) => void
}

function Scope({ manifest, wishes, change }: FormPart & { manifest: Manifest }) {
  const all = (manifest.databases ?? []).map(({ name }) => name)
  const chosen = wishes.names ?? all
  const toggle = (name: string, isWanted: boolean): void => {
    const names = all.filter((known) => (known === name ? isWanted : chosen.includes(known)))
    change({ names: names.length === all.length ? null : names })
  }
  const isPart = wishes.names !== null
  return (
    <div class="columns">
      <fieldset>
        <legend>Databases</legend>
        {all.map((name) => (
          <Checkbox key={name} label={name} checked={chosen.includes(name)} onChange={(is) => toggle(name, is)} />
        ))}
      </fieldset>
      <fieldset>
        <legend>Parts</legend>
        {isPart ? (
          <p class="quiet">Some databases only: arc.db and arc.toml concern all of them, and stay as they are.</p>
        ) : (
          <>
            <Checkbox label="Data" checked={wishes.data} onChange={(data) => change({ data })} />
            {manifest.has_metadata && (
              <Checkbox
                label="arc.db (tokens)"
                checked={wishes.metadata}
                onChange={(metadata) => change({ metadata })}
              />
            )}
            {manifest.has_config && (
              <Checkbox
                label="arc.toml (configuration)"
                checked={wishes.configuration}
                onChange={(configuration) => change({ configuration })}
              />
            )}
          </>
        )}
      </fieldset>
    </div>
  )
}

const modes = [
  ['merge', 'merge: keep files that the backup lacks'],
  ['replace', 'replace: move them aside'],
] as const
const comparisons = [
  ['hash', 'of the same bytes'],
  ['stat', 'of the same size and time'],
] as const
const stagings = [
  ['all', 'prove everything first'],
  ['file', 'one file at a time, where room is short'],
] as const

function Ways({ wishes, change }: FormPart) {
  return (
    <div class="columns">
      <Select label="Mode" value={wishes.mode} options={modes} onChange={(mode) => change({ mode })} />
      <Select
        label="Leave files alone that are"
        value={wishes.compare}
        options={comparisons}
        onChange={(compare) => change({ compare })}
      />
      <Select label="Order" value={wishes.staging} options={stagings} onChange={(staging) => change({ staging })} />
      {wishes.staging === 'all' && (
        <Checkbox
          label="All or nothing"
          checked={wishes.allOrNothing}
          onChange={(allOrNothing) => change({ allOrNothing })}
        />
      )}
    </div>
  )
}

function wants({ names, data, metadata, configuration }: Wishes): boolean {
  return names === null ? data || metadata || configuration : names.length > 0
}

function requestOf(id: string, target: string, wishes: Wishes): Record<string, unknown> {
  const { names, data, metadata, configuration, mode, compare, staging, allOrNothing } = wishes
  return {
    backup_id: id,
    target,
    mode,
    compare,
    staging,
    ...(staging === 'all' && allOrNothing && { all_or_nothing: true }),
    ...(names === null
      ? { restore_data: data, restore_metadata: metadata, restore_config: configuration }
      : { databases: names }),
  }
}
