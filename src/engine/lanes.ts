/**
 * Runs `action` on every item, at most `lanes` at once (or as many as it says then), pulling the next item only when a lane is free. The first failure stops the pulling;
 * it is thrown when the actions under way have ended, so nothing still runs behind the caller's back.
 */
export async function runLanes<T>(
  lanes: number | (() => number),
  items: AsyncIterable<T> | Iterable<T>,
  action: (item: T) => Promise<void>,
): Promise<void> {
  const most = typeof lanes === 'number' ? () => lanes : lanes
  const failures: unknown[] = []
  let running = 0
  // One waiter at most. Not a race of all that run: that hangs a reaction on each of them for each item.
  let wake: (() => void) | undefined
  const run = async (item: T): Promise<void> => {
    try {
      await action(item)
    } catch (error) {
      failures.push(error)
    }
    running -= 1
    wake?.()
  }
  const oneEnds = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve
    })
  try {
    for await (const item of items) {
      running += 1
      void run(item)
      while (running >= most()) await oneEnds()
      if (failures.length > 0) break
    }
  } catch (error) {
    failures.push(error)
  }
  while (running > 0) await oneEnds()
  if (failures.length > 0) throw failures[0]
}
