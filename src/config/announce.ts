import { accessSync, constants } from 'node:fs'
import { type Config, Secret } from './config.js'
import { isFile } from './paths.js'
import { showValue } from './show.js'
import type { Values } from './values.js'

/** Who is told how an operation ended: a program, a URL. */
export function announceOf(values: Values, toPath: (given: string) => string): Config['backup']['announce'] {
  return { command: commandOf(values, toPath), webhook: webhookOf(values) }
}

function commandOf(values: Values, toPath: (given: string) => string): Config['backup']['announce']['command'] {
  const { settings } = values
  const given = settings['backup.hooks.command']
  if (given === '') return null
  const path = toPath(given)
  // No reason to refuse a restore on a machine that has lost everything else too.
  if (!isExecutable(path)) {
    values.warnings.push(`backup.hooks.command names ${showValue(path)}, which is no program that can be executed`)
  }
  return { path, timeoutMs: settings['backup.hooks.timeout'] }
}

function webhookOf(values: Values): Config['backup']['announce']['webhook'] {
  const { settings } = values
  const [given, secret] = [settings['backup.webhook.url'], settings['backup.webhook.secret']]
  if (given === '') {
    if (secret !== '') values.refuse('backup.webhook.url', 'an address, because there is a backup.webhook.secret')
    return null
  }
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.hash) {
    values.refuse('backup.webhook.url', 'an address such as "https://host/path", without user, password or fragment')
  }
  if (secret === '') {
    values.refuse('backup.webhook.secret', 'a text of at least 16 characters: what is sent is signed with it')
  }
  return { url: new Secret(given), secret: new Secret(secret), timeoutMs: settings['backup.webhook.timeout'] }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return isFile(path)
  } catch {
    return false
  }
}
