/** One part of the work, measured by itself. */
export interface Part {
  readonly name: string
  /** Files that one run is about. */
  readonly files: number
  /** Bytes that it moves, where that is what counts. */
  readonly bytes?: number
  run(): Promise<void> | void
}

/** Makes what a part works on, in a folder of its own that is there and empty; it is removed afterwards. */
export type MakePart = (folder: string) => Part[]
