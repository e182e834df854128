import { render } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { Api } from './api.js'
import { BackupView } from './backup.js'
import { Backups } from './backups.js'
import { Journal } from './journal.js'
import { useLive } from './live.js'
import { Restore } from './restore.js'
import { parseRoute, type Route } from './route.js'
import { session } from './session.js'
import { SignIn } from './sign-in.js'

function Page() {
  const [token, setToken] = useState(session.read())
  const [said, setSaid] = useState<string | null>(null)
  const signOut = (why: string | null): void => {
    session.forget()
    setSaid(why)
    setToken(null)
  }
  const signIn = (fresh: string): void => {
    session.keep(fresh)
    setSaid(null)
    setToken(fresh)
  }
  if (token === null) return <SignIn said={said} onToken={signIn} />
  return <Console key={token} token={token} signOut={signOut} />
}

function Console({ token, signOut }: { token: string; signOut: (why: string | null) => void }) {
  const api = useMemo(() => new Api(token, () => signOut('The token is not valid any more')), [token])
  const live = useLive(api)
  const route = useRoute()
  return (
    <>
      <header>
        <a class="name" href="#/">
          <img src="page/icon.svg" alt="" width="28" height="28" />
          Arc backup
        </a>
        <nav aria-label="Views">
          <a href="#/" aria-current={route.view === 'journal' ? undefined : 'page'}>
            Backups
          </a>
          <a href="#/journal" aria-current={route.view === 'journal' ? 'page' : undefined}>
            Journal
          </a>
        </nav>
        <button type="button" class="secondary" onClick={() => signOut(null)}>
          Sign out
        </button>
      </header>
      <div role="status">
        {!live.connected && <p class="offline">The connection to the service is lost. Trying again…</p>}
      </div>
      <main>
        <View api={api} live={live} route={route} />
      </main>
    </>
  )
}

function View({ api, live, route }: { api: Api; live: ReturnType<typeof useLive>; route: Route }) {
  if (route.view === 'journal') return <Journal api={api} live={live} />
  if (route.view === 'backups') return <Backups api={api} live={live} />
  const { id, target } = route
  if (route.view === 'restore') return <Restore key={id} api={api} id={id} target={target} />
  return <BackupView key={id} api={api} live={live} id={id} target={target} />
}

function useRoute(): Route {
  const [route, setRoute] = useState(parseRoute(location.hash))
  useEffect(() => {
    const look = (): void => setRoute(parseRoute(location.hash))
    addEventListener('hashchange', look)
    return () => removeEventListener('hashchange', look)
  }, [])
  return route
}

const place = document.getElementById('page')
if (place) {
  place.replaceChildren()
  render(<Page />, place)
}
