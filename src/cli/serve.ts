import type { Config } from '../config/config.js'
import { createLog } from '../log.js'
import { startService } from '../service.js'
import { exitCodes } from './exit-code.js'

const signals = ['SIGINT', 'SIGTERM'] as const
/** Signals so close together (ms) are one: Ctrl-C under `npm start` comes from the terminal, and once more from npm, which passes it on. */
const sameSignal = 500

/** Serves until SIGINT or SIGTERM, and answers the exit code. A second signal ends the process at once. */
export async function serve(config: Config): Promise<number> {
  const log = createLog(config.log)
  let stop = (): void => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  let first: number | null = null
  const onSignal = (): void => {
    if (first !== null && performance.now() - first > sameSignal) process.exit(exitCodes.failed)
    first ??= performance.now()
    stop()
  }
  for (const signal of signals) process.on(signal, onSignal)
  try {
    const service = await startService(config, log)
    await stopped
    log.info('shutting down')
    await service.close()
    log.info('stopped')
    return exitCodes.done
  } finally {
    for (const signal of signals) process.removeListener(signal, onSignal)
  }
}
