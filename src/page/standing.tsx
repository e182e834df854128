import type { Api } from './api.js'
import { formatAge, formatSize, formatTime } from './format.js'
import type { Live } from './live.js'
import { useLoaded } from './loaded.js'
import { Badge } from './parts.js'
import { Fact, kindOf, wordOf } from './progress.js'
import type { Limits, Schedule, Scheduled } from './schemas.js'

/** What runs by itself: when it is due next, and how it went last; and how much of the machine all of it may take. */
export function Standing({ api, live }: { api: Api; live: Live }) {
  const { value: scheduled } = useLoaded<Scheduled>(api, '/schedule?limit=1', live.epoch)
  const { value: limits } = useLoaded<Limits>(api, '/limits', live.epoch)
  if (!scheduled || !limits) return null
  return (
    <section aria-label="Schedule and limits">
      <dl class="facts card">
        {scheduled.schedule ? <ScheduleFacts schedule={scheduled.schedule} /> : <Fact name="Schedule">none</Fact>}
        <Fact name="Limits">
          {limits.bandwidth_limit ?? 'any bandwidth'}, {formatSize(limits.memory_limit_bytes)} of memory,{' '}
          {limits.workers === 1 ? '1 thread' : `${limits.workers} threads`}
          {limits.priority === 'low' && ', low priority'}
        </Fact>
      </dl>
    </section>
  )
}

function ScheduleFacts({ schedule }: { schedule: Schedule }) {
  const { cron, timezone, target, verify, prune, next_run: next, current_run: current, last_run: last } = schedule
  const steps = [`to ${target}`, ...(verify === 'none' ? [] : [`verify ${verify}`]), ...(prune ? ['prune'] : [])]
  return (
    <>
      <Fact name="Next run">{next ? formatTime(next) : 'never'}</Fact>
      <Fact name="Schedule">
        <code>{cron}</code>, {timezone} <span class="quiet">{steps.join(', ')}</span>
      </Fact>
      {current && <Fact name="Under way">due {formatTime(current.due_at)}</Fact>}
      <Fact name="Last run">{last ? <LastRun run={last} /> : 'none yet'}</Fact>
    </>
  )
}

function LastRun({ run }: { run: NonNullable<Schedule['last_run']> }) {
  const { due_at: due, outcome = 'failed', missed_runs: missed, note } = run
  return (
    <>
      <span title={formatTime(due)}>{formatAge(due, Date.now())}</span>{' '}
      <Badge kind={kindOf({ outcome })}>{wordOf({ outcome, status: 'failed' })}</Badge>
      {missed > 0 && (
        <>
          {' '}
          <Badge kind="warn">{missed} more missed</Badge>
        </>
      )}
      {note && <span class="quiet why"> {note}</span>}
    </>
  )
}
