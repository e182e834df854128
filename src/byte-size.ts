const units: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  KiB: 2 ** 10,
  MB: 1e6,
  MiB: 2 ** 20,
  GB: 1e9,
  GiB: 2 ** 30,
  TB: 1e12,
  TiB: 2 ** 40,
}
const largestFirst = Object.entries(units).reverse()

/** "512MiB", "1.5 GB" in bytes; undefined for what is none. A small b would be bits elsewhere, so it is refused. */
export function parseSize(written: string): number | undefined {
  const [, number, prefix, binary] = /^(\d+(?:\.\d+)?) ?(?:([kKMGT])(i?))?B$/.exec(written.trim()) ?? []
  if (number === undefined) return undefined
  return Math.round(Number(number) * (units[`${prefix?.toUpperCase() ?? ''}${binary ?? ''}B`] ?? 1))
}

/** "200MB/s" in bytes a second. */
export function parseRate(written: string): number | undefined {
  const [, size] = /^(.*B)\/s$/.exec(written.trim()) ?? []
  return size === undefined ? undefined : parseSize(size)
}

/** Less could not be told from standing still. */
const leastRate = 64e3
/** What a limit is to be, as an operator reads it. */
export const rateLimitExpected = 'a rate such as "200MB/s" or "10MiB/s", at least "64KB/s", or "none"'

/** A limit in bytes a second; null for none ("none", or nothing), undefined for what is no limit. */
export function parseRateLimit(written: string): number | null | undefined {
  if (['', 'none'].includes(written.trim())) return null
  const rate = parseRate(written)
  return rate !== undefined && rate >= leastRate && Number.isSafeInteger(rate) ? rate : undefined
}

/** As short as it can be said exactly: 10485760 is "10MiB". */
export function showSize(bytes: number): string {
  const found = largestFirst.find(([, unit]) => bytes >= unit && (bytes * 10) % unit === 0)
  return found ? `${bytes / found[1]}${found[0]}` : `${bytes}B`
}
