import type { Json } from './client.js'

/** One kind of request, and which of its answers are right. */
export interface LoadRequest {
  readonly kind: 'status' | 'list' | 'show' | 'unknown' | 'wrong token' | 'second POST'
  readonly method: 'GET' | 'POST'
  /** Below `/api/v1/backup`. */
  readonly path: string
  readonly token: string
  readonly body?: string
  /** What is wrong with this answer; null where nothing is. */
  flaw(status: number, answer: Json): string | null
}

/** What the requests are about. */
export interface LoadSubject {
  readonly token: string
  /** A backup that is there all the time. */
  readonly backupId: string
}

const missing = 'backup-20200101-000000-00000000'
/** One for each of 16 requests: prime to the number of clients or not, each client comes to send several kinds. */
const mix = 'status list status show status wrong status POST status unknown status list status show status'.split(' ')

/** A mix of requests as dashboards, scripts and mistakes send them, over and over in this order. */
export function loadRequests({ token, backupId }: LoadSubject): LoadRequest[] {
  const get = { method: 'GET', token } as const
  const requests: Record<string, LoadRequest> = {
    status: {
      ...get,
      kind: 'status',
      path: '/status',
      flaw: (status, answer) => expect(status === 200 && typeof answer.status === 'string'),
    },
    list: {
      ...get,
      kind: 'list',
      path: '',
      flaw: (status, answer) => expect(status === 200 && lists(answer, backupId)),
    },
    show: {
      ...get,
      kind: 'show',
      path: `/${backupId}`,
      flaw: (status, answer) => expect(status === 200 && answer.backup_id === backupId),
    },
    unknown: {
      ...get,
      kind: 'unknown',
      path: `/${missing}`,
      flaw: (status, answer) => expect(status === 404 && answer.error === 'Backup not found'),
    },
    wrong: {
      ...get,
      kind: 'wrong token',
      path: '/status',
      token: 'a-wrong-token-of-more-than-32-characters-in-all',
      flaw: (status, answer) => expect(status === 401 && answer.error === 'Invalid or expired token'),
    },
    // Of a database that is not there: between two operations it must be refused, too, or it would start one.
    POST: {
      kind: 'second POST',
      method: 'POST',
      path: '',
      token,
      body: '{"databases":["no-such-database"]}',
      flaw: (status, answer) =>
        expect(
          (status === 409 && answer.status === 'running') ||
            (status === 400 && Array.isArray(answer.unknown_databases)),
        ),
    },
  }
  return mix.flatMap((name) => requests[name] ?? [])
}

function expect(right: boolean): string | null {
  return right ? null : 'not one of the right answers'
}

/** Is the backup among those listed, and does everything in the list add up? */
function lists(answer: Json, backupId: string): boolean {
  const backups = answer.backups as Json[] | undefined
  return (
    Array.isArray(backups) &&
    answer.count === backups.length &&
    answer.unreachable_targets === undefined &&
    backups.some((backup) => backup.backup_id === backupId)
  )
}
