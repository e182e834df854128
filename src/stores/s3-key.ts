const plain = /^[\w.~/-]*$/

/** A key as it stands in a URL and in the text that is signed: AWS wants more characters escaped than `encodeURIComponent` does. */
export function encodeKey(key: string): string {
  // One expression for the usual case: Arc's own names need no escape.
  return plain.test(key) ? key : key.split('/').map(encodeText).join('/')
}

export function encodeText(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** A key as a listing with `EncodingType: 'url'` shows it: names may hold characters that XML can't. */
export function decodeKey(key: string): string {
  return key.includes('%') || key.includes('+') ? decodeURIComponent(key.replaceAll('+', ' ')) : key
}

/** `a=1&b` from a query; '' from none. */
export function queryText(query: Readonly<Record<string, string | readonly string[] | null | undefined>> = {}): string {
  const parts: string[] = []
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      parts.push(one === null || one === undefined ? encodeText(name) : `${encodeText(name)}=${encodeText(one)}`)
    }
  }
  return parts.join('&')
}
