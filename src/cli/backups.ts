/** JSON bodies as the REST API has them: the command line shows the same facts whether it asks a service or the files. */
export type Body = Record<string, unknown>

/** Each is '' where a service (Arc's own) does not say. */
export interface Begun {
  readonly backupId: string
  readonly operationId: string
}

/** What the commands need: answered by a running service, or by the files themselves. */
export interface Backups {
  startBackup(request: Body): Promise<Begun>
  startRestore(request: Body): Promise<Begun>
  /** What a restore would do. */
  planRestore(request: Body): Promise<Body>
  startVerify(id: string, request: Body): Promise<Begun>
  /** `target` names the place where several have a backup of this id. */
  deleteBackup(id: string, target?: string): Promise<void>
  /** Starts a prune. */
  startPrune(request: Body): Promise<Begun>
  /** What a prune would do. */
  planPrune(request: Body): Promise<Body>
  pin(id: string, target?: string): Promise<Body>
  unpin(id: string, target?: string): Promise<Body>
  list(): Promise<Body>
  show(id: string, target?: string): Promise<Body>
  status(): Promise<Body>
  /** The statuses of one operation as they change, to its end; only a service can say so. @throws where the stream breaks */
  follow?(operationId: string): AsyncIterable<Body>
  /** How a verify stands or ended. */
  operation(id: string): Promise<Body>
  /** Where all that a verify found is to be read, a line of JSON each. */
  findingsOf(operationId: string): string
  /** Asks the running operation to end: the backup or restore, unless one is named. */
  cancel(operationId?: string): Promise<void>
  /** Goes on with an interrupted operation. */
  resume(operation: string): Promise<Begun>
  /** Gives an interrupted operation up and removes what it left. */
  discard(operation: string): Promise<void>
  /** The limits as they are, or after a change; only a running service can change them. */
  limits(change?: Body): Promise<Body>
  /** Removes what operations that have ended left; only on the files themselves. */
  sweep(dryRun: boolean): Promise<Body>
  /** Puts back what a restore moved aside; only on the files themselves. */
  undo(operation: string): Promise<Body>
  close(): Promise<void>
}
