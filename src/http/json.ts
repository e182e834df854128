/** JSON as Go writes it, compact, with `<`, `>` and `&` escaped: answers are the same bytes as Arc's. */
export function toGoJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
