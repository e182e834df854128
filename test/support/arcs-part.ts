/** An error of ours as Arc would have it; all that ours have beside it must be there. */
export function arcsPart(text: string): string {
  return text.replace(/,"code":"[A-Z_]+"(,"hint":"[^"]+")?,"request_id":"[0-9a-f-]{36}"\}$/, '}')
}
