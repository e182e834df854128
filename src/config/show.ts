import { isTable } from './source.js'

const longest = 200
/** What JSON leaves as it is although a terminal would obey it, or show it as nothing. */
const unshown = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

/** A value of a configuration for a message: on one line, not too long, and nothing in it that a terminal would obey. */
export function showValue(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  if (isTable(value)) return 'a table'
  if (typeof value === 'number') return String(value)
  const shown = JSON.stringify(value).replace(unshown, (sign) => `\\u{${sign.codePointAt(0)?.toString(16)}}`)
  return shown.length > longest ? `${shown.slice(0, longest)}…` : shown
}
