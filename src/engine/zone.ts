/** A wall clock in one time zone. */
export interface Wall {
  readonly year: number
  /** 1 to 12 */
  readonly month: number
  readonly day: number
  readonly hour: number
}

const dayMs = 86_400_000

/** The zone that this process is in, by its IANA name. */
export function localZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** Calendar arithmetic in one IANA time zone; instants are milliseconds since the epoch. @throws RangeError for a name that is no zone */
export class Zone {
  readonly name: string
  readonly #format: Intl.DateTimeFormat

  constructor(name: string) {
    this.name = name
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  }

  wall(at: number): Wall {
    const local = new Date(this.#local(at))
    return {
      year: local.getUTCFullYear(),
      month: local.getUTCMonth() + 1,
      day: local.getUTCDate(),
      hour: local.getUTCHours(),
    }
  }

  /** The week that this day is in by ISO 8601: weeks begin on Monday, and belong to the year that has their Thursday. */
  isoWeek(at: number): { year: number; week: number } {
    const day = Math.floor(this.#local(at) / dayMs)
    // Days before 1970 are below zero: a manifest of Arc without a time has the year 1.
    const fromMonday = (((day + 3) % 7) + 7) % 7
    const thursday = day - fromMonday + 3
    const year = new Date(thursday * dayMs).getUTCFullYear()
    return { year, week: Math.floor((thursday - Date.UTC(year, 0, 1) / dayMs) / 7) + 1 }
  }

  /**
   * The same time of day so many days before. Where the clock was put forward over that time, one of the two instants beside the gap: the one that Go's
   * `time.Date`, and with it restic, takes.
   */
  daysBefore(at: number, days: number): number {
    const wall = this.#local(at) - days * dayMs
    const guess = wall - this.#offset(wall)
    return this.#offset(guess) === this.#offset(wall) ? guess : wall - this.#offset(guess)
  }

  /** What the clock on the wall shows, as if it were UTC. */
  #local(at: number): number {
    return at + this.#offset(at)
  }

  #offset(at: number): number {
    const parts = Object.fromEntries(this.#format.formatToParts(at).map(({ type, value }) => [type, value]))
    const year = parts.era === 'BC' ? 1 - Number(parts.year) : Number(parts.year)
    const shown = new Date(0)
    shown.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day))
    shown.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second))
    return shown.getTime() - Math.floor(at / 1000) * 1000
  }
}
