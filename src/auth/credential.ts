/** The places in a request where Arc looks for a token. */
export interface CredentialSources {
  /** The `Authorization` header, or ''. */
  readonly authorization: string
  /** The `x-api-key` header, or ''. */
  readonly apiKey: string
  /** The query parameter `p` (InfluxDB 1.x), or ''. */
  readonly query: string
}

/**
 * The first that is not empty, in Arc's order. An `Authorization` of another scheme is taken whole: it hides the places after it, as does a scheme
 * with nothing behind it.
 */
export function extractCredential({ authorization, apiKey, query }: CredentialSources): string | null {
  for (const scheme of ['Bearer ', 'Token ']) {
    if (authorization.startsWith(scheme)) return authorization.slice(scheme.length) || null
    // HTTP parsers strip the space that an empty token leaves behind.
    if (authorization === scheme.trimEnd()) return null
  }
  return authorization || apiKey || query || null
}
