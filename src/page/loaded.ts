import { useEffect, useState } from 'preact/hooks'
import { type Api, ApiError } from './api.js'

export interface Loaded<T> {
  readonly value: T | null
  readonly error: ApiError | null
}

/** What is at a path, read again whenever `epoch` changes; the old value stays until the new one is there. */
export function useLoaded<T>(api: Api, path: string, epoch: number): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>({ value: null, error: null })
  useEffect(() => {
    let isWanted = true
    api.call<T>('GET', path).then(
      (value) => isWanted && setLoaded({ value, error: null }),
      (error: unknown) => {
        const failure = error instanceof ApiError ? error : new ApiError(0, { error: String(error) })
        if (isWanted) setLoaded((known) => ({ ...known, error: failure }))
      },
    )
    return () => {
      isWanted = false
    }
  }, [api, path, epoch])
  return loaded
}
