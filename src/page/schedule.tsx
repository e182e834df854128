import type { Api } from './api.js'
import { formatTime } from './format.js'
import type { Live } from './live.js'
import { useLoaded } from './loaded.js'
import { Badge } from './parts.js'
import { Fact, kindOf, wordOf } from './progress.js'
import type { Schedule, Scheduled } from './schemas.js'

/** What runs by itself: when it is due next, and how it went last. Nothing where nothing does. */
export function ScheduleCard({ api, live }: { api: Api; live: Live }) {
  const { value } = useLoaded<Scheduled>(api, '/schedule?limit=1', live.epoch)
  if (!value?.schedule) return null
  const { cron, timezone, next_run: next, current_run: current, last_run: last } = value.schedule
  return (
    <dl class="facts card">
      <Fact name="Next run">{next ? formatTime(next) : 'never'}</Fact>
      <Fact name="Schedule">
        <code>{cron}</code>, {timezone}
      </Fact>
      {current && <Fact name="Under way">due {formatTime(current.due_at)}</Fact>}
      {last && (
        <Fact name="Last run">
          {formatTime(last.due_at)} <Outcome run={last} />
          {last.note && <span class="quiet why"> {last.note}</span>}
        </Fact>
      )}
    </dl>
  )
}

function Outcome({ run: { outcome = 'failed' } }: { run: NonNullable<Schedule['last_run']> }) {
  return <Badge kind={kindOf({ outcome })}>{wordOf({ outcome, status: 'failed' })}</Badge>
}
