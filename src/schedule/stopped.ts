/** The process ends: what is under way goes on after its next start. */
export class Stopped extends Error {
  constructor() {
    super('the process ends')
  }
}

/** The same, unless the signal comes first. @throws Stopped */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => {}
  const stopped = new Promise<never>((_resolve, reject) => {
    stop = () => reject(new Stopped())
  })
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    return await Promise.race([promise, stopped])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
