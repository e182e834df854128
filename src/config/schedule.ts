import type { Config } from './config.js'
import { parseCron } from './cron.js'
import { type PruneRule, pruneRules, type SettingsKey } from './settings.js'
import type { Values } from './values.js'

const table = 'backup.schedule'

/** What runs by itself, and when; null without `cron`. */
export function scheduleOf(
  values: Values,
  { targets, defaultTarget }: Pick<Config['backup'], 'targets' | 'defaultTarget'>,
): Config['backup']['schedule'] {
  const { settings } = values
  const cron = settings['backup.schedule.cron']
  if (cron === '') {
    if (values.hasUnder(table)) {
      values.refuse('backup.schedule.cron', `when to run, such as "0 3 * * *", because there is a table [${table}]`)
    }
    return null
  }
  const timezone = timezoneOf(values)
  if (values.holds('backup.schedule.timezone') && !parseCron(cron, timezone)) {
    values.refuse(
      'backup.schedule.cron',
      'a cron expression that is due some day, such as "0 3 * * *": minute, hour, day of month, month, day of week',
    )
  }
  const verify = settings['backup.schedule.verify']
  return {
    cron,
    timezone,
    target: targetOf(values, targets, defaultTarget.name),
    verify: verify === 'none' ? null : verify,
    prune: pruneOf(values),
  }
}

function timezoneOf(values: Values): string {
  const given = values.settings['backup.schedule.timezone']
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', given === '' ? {} : { timeZone: given }).resolvedOptions()
    return given === '' ? timeZone : given
  } catch {
    values.refuse('backup.schedule.timezone', 'the name of a time zone, such as "Europe/Berlin"')
    return 'UTC'
  }
}

function targetOf(values: Values, targets: Config['backup']['targets'], otherwise: string): string {
  const given = values.settings['backup.schedule.target']
  if (given !== '' && !targets.some(({ name }) => name === given)) {
    values.refuse('backup.schedule.target', `a target: ${targets.map(({ name }) => `"${name}"`).join(', ')}`)
  }
  return given || otherwise
}

/** Null where no rule keeps anything: then nothing is removed. */
function pruneOf({ settings }: Values): NonNullable<Config['backup']['schedule']>['prune'] {
  const ruleOf = (rule: PruneRule): number => settings[`${table}.prune.${rule}` satisfies SettingsKey]
  const prune = {
    last: ruleOf('keep_last'),
    hourly: ruleOf('keep_hourly'),
    daily: ruleOf('keep_daily'),
    weekly: ruleOf('keep_weekly'),
    monthly: ruleOf('keep_monthly'),
    yearly: ruleOf('keep_yearly'),
    within: ruleOf('within'),
  }
  return pruneRules.every((rule) => ruleOf(rule) === 0) ? null : prune
}
