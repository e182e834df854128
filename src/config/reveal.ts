import { Secret } from './config.js'

/** The same with every secret as the text that it hides. */
export type Revealed<T> = T extends Secret ? string : T extends object ? { readonly [K in keyof T]: Revealed<T[K]> } : T

/** A value of plain objects that can go to a thread, which a secret can't: its credentials are open to read, so it is never printed. */
export function reveal<T>(value: T): Revealed<T> {
  if (value instanceof Secret) return value.reveal() as Revealed<T>
  if (typeof value !== 'object' || value === null) return value as Revealed<T>
  if (Array.isArray(value)) return value.map((part) => reveal(part)) as Revealed<T>
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, reveal(part)])) as Revealed<T>
}
