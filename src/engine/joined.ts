interface Turn<T> {
  readonly running: Promise<T>
  next?: Promise<T>
}

/**
 * Answers that many may ask for at once: of one key one is looked for at a time, and who asks meanwhile shares the next. So each answer was begun after it was asked for, and a crowd costs
 * no more than two.
 */
export class Joined<T> {
  readonly #turns = new Map<string, Turn<T>>()

  ask(key: string, action: () => Promise<T>): Promise<T> {
    const turn = this.#turns.get(key)
    if (!turn) return this.#begin(key, action)
    const begin = (): Promise<T> => this.#begin(key, action)
    turn.next ??= turn.running.then(begin, begin)
    return turn.next
  }

  #begin(key: string, action: () => Promise<T>): Promise<T> {
    const turn: Turn<T> = { running: action() }
    this.#turns.set(key, turn)
    const end = (): void => {
      if (!turn.next) this.#turns.delete(key)
    }
    turn.running.then(end, end)
    return turn.running
  }
}
