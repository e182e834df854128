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
  const running = new Set<Promise<void>>()
  const failures: unknown[] = []
  try {
    for await (const item of items) {
      const lane = action(item)
        .catch((error: unknown) => {
          failures.push(error)
        })
        .finally(() => running.delete(lane))
      running.add(lane)
      while (running.size >= most()) await Promise.race(running)
      if (failures.length > 0) break
    }
  } catch (error) {
    failures.push(error)
  }
  await Promise.all(running)
  if (failures.length > 0) throw failures[0]
}
