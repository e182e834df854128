import { useState } from 'preact/hooks'
import { Api, ApiError } from './api.js'
import { Problem } from './parts.js'

/** Asks for a token, and whether the service takes it. */
export function SignIn({ said, onToken }: { said: string | null; onToken: (token: string) => void }) {
  const [token, setToken] = useState('')
  const [error, setError] = useState<ApiError | null>(said === null ? null : new ApiError(401, { error: said }))
  const [isAsking, setAsking] = useState(false)
  const submit = (event: Event): void => {
    event.preventDefault()
    setAsking(true)
    setError(null)
    new Api(token.trim(), () => {})
      .call('GET', '/operations?limit=1')
      .then(() => onToken(token.trim()))
      .catch((failure: unknown) =>
        setError(failure instanceof ApiError ? failure : new ApiError(0, { error: String(failure) })),
      )
      .finally(() => setAsking(false))
  }
  return (
    <main class="sign-in">
      <form class="card" onSubmit={submit}>
        <img src="page/icon.svg" alt="" width="48" height="48" />
        <h1>Arc backup</h1>
        <label class="field">
          <span>Admin token of Arc</span>
          <input
            type="password"
            autocomplete="off"
            required
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <Problem error={error} />
        <button type="submit" disabled={isAsking}>
          Sign in
        </button>
        <p class="quiet">The token stays in this tab, and is gone when it is closed.</p>
      </form>
    </main>
  )
}
