import { distance } from 'fastest-levenshtein'
import { targetsTable, variableOf } from './settings.js'
import { type ConfigFile, placeOf } from './source.js'

/** What notify/command.ts tells a program, which may call this one in turn. */
export const ofCommands = [
  'ARC_BACKUP_EVENT',
  'ARC_BACKUP_OPERATION',
  'ARC_BACKUP_OPERATION_ID',
  'ARC_BACKUP_OUTCOME',
  'ARC_BACKUP_ID',
  'ARC_BACKUP_TARGET',
  'ARC_BACKUP_ERROR_CODE',
  'ARC_BACKUP_REQUESTED_BY',
]

/** What the command line takes for `--url` (`cli/program.ts`). */
const ofClients = ['ARC_BACKUP_CLIENT_CERT', 'ARC_BACKUP_CLIENT_KEY', 'ARC_BACKUP_CLIENT_CACERT']

/** Warnings for names of ours that nothing reads. Elsewhere they are Arc's own keys, and those of its later versions: none of our business. */
export function unknownNames(file: ConfigFile | null, env: NodeJS.ProcessEnv, keys: readonly string[]): string[] {
  const warnings: string[] = []
  const ours = keys.filter((key) => key.startsWith('backup.'))
  for (const name of file?.values.keys() ?? []) {
    if (!name.startsWith('backup.') || name === targetsTable || ours.includes(name)) continue
    warnings.push(
      `${placeOf(file, name)}: ${name} is not a known key and does nothing; the nearest is ${nearest(name, ours)}`,
    )
  }
  const variables = ours.map(variableOf)
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('ARC_BACKUP_') || !value || variables.includes(variable)) continue
    if (ofCommands.includes(variable) || ofClients.includes(variable)) continue
    const hint = ofAnUnknownTarget(variable, variables)
      ? `name its target in ${variableOf('backup.target_names')}`
      : `the nearest is ${nearest(variable, variables)}`
    warnings.push(`environment variable ${variable} is not a known one and does nothing; ${hint}`)
  }
  return warnings
}

/** The name ends where one of its fields begins; `_TYPE` is the one that every target has. */
function ofAnUnknownTarget(variable: string, variables: readonly string[]): boolean {
  const ofTargets = `${variableOf(targetsTable)}_`
  const known = variables.filter((one) => one.startsWith(ofTargets) && one.endsWith('_TYPE'))
  return variable.startsWith(ofTargets) && !known.some((one) => variable.startsWith(one.slice(0, -'TYPE'.length)))
}

function nearest(name: string, known: readonly string[]): string {
  return known.reduce((best, one) => (distance(name, one) < distance(name, best) ? one : best), known[0] ?? '')
}
