import { z } from 'zod'
import { parseRateLimit, parseSize, rateLimitExpected } from '../byte-size.js'
import { longestDurationMs, parseDuration } from './duration.js'

// Each kind's `error` is what was expected, as an operator reads it: whatever zod finds wrong, that is the answer.

export function text() {
  return z.string({ error: 'a text in quotes' })
}

/** A text without the spaces around it: Arc trims these, and a copied blank would only show as a failing connection. */
export function line() {
  return text().trim()
}

/** A path that can be shown and opened; \p{Cc} are control characters, \p{Bidi_Control} those that turn the direction of what is shown. */
export function path() {
  const error = 'a path without control characters'
  return z.string({ error }).regex(/^[^\p{Cc}\p{Bidi_Control}]*$/u, { error })
}

/** A path that may not be empty. */
export function place() {
  return path().min(1, { error: 'a path' })
}

export function flag() {
  return z.boolean({ error: 'true or false' })
}

export function integer(min: number, max: number) {
  const error = `a whole number from ${min} to ${max}`
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

/** One of some words; spaces around it and capitals don't matter, as for Arc. */
export function oneOf<const T extends readonly string[]>(...words: T) {
  const error = `one of ${words.map((word) => `"${word}"`).join(', ')}`
  return z.string({ error }).trim().toLowerCase().pipe(z.enum(words, { error }))
}

/** A duration as Go writes it, above zero; in ms. */
export function duration() {
  const error = `a duration such as "2h", "90m" or "1h30m", above zero and at most ${Math.floor(longestDurationMs / 86_400_000)} days`
  return z
    .string({ error })
    .transform((written) => parseDuration(written))
    .pipe(z.number({ error }).positive({ error }).max(longestDurationMs, { error }))
}

/** An age: a duration, which may also be in days ("30d"), and may be 0; in ms. */
export function age() {
  const error = 'an age such as "30d", "72h" or "0"'
  return z
    .string({ error })
    .transform((written) => {
      const days = /^(\d+)d$/.exec(written)?.[1]
      return days === undefined ? parseDuration(written) : Number(days) * 86_400_000
    })
    .pipe(z.number({ error }))
}

/** Bytes, as a text with their unit. */
export function size(atLeast: number, shown: string) {
  const error = `a size such as "512MiB" or "1GB", at least "${shown}"`
  return z
    .string({ error })
    .transform((written) => parseSize(written))
    .pipe(z.number({ error }).min(atLeast, { error }).max(Number.MAX_SAFE_INTEGER, { error }))
}

/** Bytes a second, as a text with their unit; null for "none" and "". */
export function rateLimit() {
  const error = rateLimitExpected
  return z
    .string({ error })
    .transform((written) => parseRateLimit(written))
    .pipe(z.number({ error }).nullable())
}

/** A percentage, or 0 without a unit; as a share from 0 to 1. */
export function percentage() {
  const error = 'a percentage from "0%" to "100%", or "0"'
  return z
    .union([z.literal(0), z.string()], { error })
    .transform((written) =>
      /^0$|^\d+(\.\d+)?%$/.test(`${written}`.trim()) ? Number.parseFloat(`${written}`) / 100 : -1,
    )
    .pipe(z.number().min(0, { error }).max(1, { error }))
}

/** A text that is never shown; empty is not set, as for Arc. */
export function secret(atLeast: number) {
  const error = `a text of at least ${atLeast} characters`
  return z.string({ error }).refine((given) => given === '' || given.length >= atLeast, { error })
}
