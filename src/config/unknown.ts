import { distance } from 'fastest-levenshtein'
import { keys, variableOf } from './settings.js'
import { type ConfigFile, placeOf } from './source.js'

const ours = keys.filter((key) => key.startsWith('backup.'))

/** Warnings for names of ours that nothing reads. Elsewhere they are Arc's own keys, and those of its later versions: none of our business. */
export function unknownNames(file: ConfigFile | null, env: NodeJS.ProcessEnv): string[] {
  const warnings: string[] = []
  for (const name of file?.values.keys() ?? []) {
    if (!name.startsWith('backup.') || ours.some((key) => key === name)) continue
    warnings.push(
      `${placeOf(file, name)}: ${name} is not a known key and does nothing; the nearest is ${nearest(name, ours)}`,
    )
  }
  const variables = ours.map(variableOf)
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('ARC_BACKUP_') || !value || variables.includes(variable)) continue
    warnings.push(
      `environment variable ${variable} is not a known one and does nothing; the nearest is ${nearest(variable, variables)}`,
    )
  }
  return warnings
}

function nearest(name: string, known: readonly string[]): string {
  return known.reduce((best, one) => (distance(name, one) < distance(name, best) ? one : best), known[0] ?? '')
}
