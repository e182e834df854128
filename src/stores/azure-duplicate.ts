import { setTimeout as sleep } from 'node:timers/promises'
import { isServiceError } from '../errors.js'
import type { AzureClient } from './azure-client.js'
import type { Duplicated, Recorded } from './store.js'

/** How often a copy that the service makes in the background is asked for, in ms. */
const pollPeriod = 250

/**
 * A second blob with the content of the recorded version of the first, made by the service: at once within an account, but it may say that it needs longer.
 * Undefined where that version is gone, the service refuses, or makes no headway.
 */
export async function duplicateBlob(
  client: AzureClient,
  path: string,
  to: string,
  { etag }: Recorded,
): Promise<Duplicated | undefined> {
  if (etag === undefined) return undefined
  const name = client.nameOf(to)
  const headers = { 'x-ms-copy-source': client.urlOf(client.nameOf(path)), 'x-ms-source-if-match': etag }
  try {
    const began = await client.try('write', to, () => client.send({ method: 'PUT', name, headers }))
    let { headers: state } = began
    for (let waited = 0; state.get('x-ms-copy-status') === 'pending'; waited += pollPeriod) {
      if (waited > client.stallMs) {
        await abortCopy(client, to, began.headers.get('x-ms-copy-id') ?? '')
        return undefined
      }
      const progress = state.get('x-ms-copy-progress')
      await sleep(pollPeriod)
      state = (await client.try('stat', to, () => client.send({ method: 'HEAD', name }))).headers
      if (state.get('x-ms-copy-progress') !== progress) waited = 0
    }
    if (state.get('x-ms-copy-status') !== 'success') return undefined
    const copied = state.get('etag')
    return { serverSide: true, ...(copied !== undefined && { etag: copied }) }
  } catch (error) {
    if (isServiceError(error) && !error.retry) return undefined
    throw error
  }
}

/** Nobody can write to a blob that a copy is pending for. */
async function abortCopy(client: AzureClient, to: string, id: string): Promise<void> {
  const query = `comp=copy&copyid=${encodeURIComponent(id)}`
  const headers = { 'x-ms-copy-action': 'abort' }
  await client.try('write', to, () => client.send({ method: 'PUT', name: client.nameOf(to), query, headers }))
}
