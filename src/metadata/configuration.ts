import { existsSync, realpathSync, statSync } from 'node:fs'
import { keepFileBeforeRestore } from './before-restore.js'
import { databaseFailure } from './failure.js'
import { replaceFile } from './replace-file.js'

/**
 * Puts a configuration file in its place by copy, sync and rename; mode and owner stay, a new file is 0600. The old text stays as `<to>.before-restore`.
 *
 * @returns path of the old file, or null where there was none
 * @throws STORE_FULL, STORE_DENIED, STORE_NOT_FOUND, STORE_IO; the file is then as it was
 */
export async function restoreConfiguration(options: { from: string; to: string }): Promise<{ before: string | null }> {
  try {
    // A link stays a link: what it points to is replaced.
    const to = existsSync(options.to) ? realpathSync(options.to) : options.to
    const old = existsSync(to) ? statSync(to) : null
    let before: string | null = null
    replaceFile({
      from: options.from,
      to,
      mode: old ? old.mode & 0o7777 : 0o600,
      owner: old ?? undefined,
      beforeRename: () => {
        if (old) before = keepFileBeforeRestore(to)
      },
    })
    return { before }
  } catch (error) {
    throw databaseFailure(error, 'restore', options.to)
  }
}
