import { once } from 'node:events'
import type { Config } from '../config/config.js'
import { createLog } from '../log.js'
import { startService } from '../service.js'
import { exitCodes } from './exit-code.js'

/** Serves until SIGINT or SIGTERM, and answers the exit code. A second signal ends the process at once. */
export async function serve(config: Config): Promise<number> {
  const log = createLog(config.log)
  const signalled = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  const service = await startService(config, log)
  await signalled
  log.info('shutting down')
  const leave = (): never => process.exit(exitCodes.failed)
  process.once('SIGINT', leave)
  process.once('SIGTERM', leave)
  await service.close()
  log.info('stopped')
  return exitCodes.done
}
