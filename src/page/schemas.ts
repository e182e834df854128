import type { z } from 'zod'
import type * as answers from '../http/answers.js'

/** Types alone: what the service answers with is described once, and none of it is loaded here. */
export type BackupList = z.output<typeof answers.backupList>
export type Backup = BackupList['backups'][number]
export type Manifest = z.output<typeof answers.manifest>
export type Status = z.output<typeof answers.operationStatus>
export type Operation = z.output<typeof answers.operation>
export type RestorePlan = z.output<typeof answers.restorePlan>
export type Failure = Partial<z.output<typeof answers.error>>
export type Limits = z.output<typeof answers.limits>
export type Scheduled = z.output<typeof answers.scheduled>
export type Schedule = NonNullable<Scheduled['schedule']>
