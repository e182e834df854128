import type { Store } from '../stores/store.js'

/** Bytes written after which the system is asked to begin to write them back. */
const period = 96 << 20

/**
 * Has what was written brought to stable storage while more is written, so that the last sync finds little to do. A sync that fails fails the operation, at
 * `finish`: the system reports an error of the disk once, to whoever asks first.
 */
export class WriteBack {
  readonly #store: Pick<Store, 'sync'>
  readonly #folder: string
  #running: Promise<void> | null = null
  #begunAt = 0
  #failure: { readonly error: unknown } | null = null

  /** @param folder in which all of it is written */
  constructor(store: Pick<Store, 'sync'>, folder: string) {
    this.#store = store
    this.#folder = folder
  }

  /** So many bytes are written by now. */
  written(bytes: number): void {
    if (bytes - this.#begunAt >= period) this.begin(bytes)
  }

  /** Begins, unless one is under way. */
  begin(bytes: number): void {
    if (this.#running || !this.#store.sync) return
    this.#begunAt = bytes
    this.#running = this.#store
      .sync({ below: this.#folder, ahead: true })
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#running = null
      })
  }

  /** Resolves when everything that was written before this call is on stable storage. @throws what any of the syncs failed with */
  async finish(): Promise<void> {
    await this.#running
    if (this.#failure) throw this.#failure.error
    await this.#store.sync?.({ below: this.#folder })
  }
}
