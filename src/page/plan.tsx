import { count, formatCount, formatSize } from './format.js'
import { Warnings } from './parts.js'
import type { RestorePlan } from './schemas.js'

const kinds = [
  ['new', 'New', 'in the backup, not here'],
  ['changed', 'Different', 'here with another size or time'],
  ['unchanged', 'The same', 'here already'],
  ['kept', 'Kept', 'here, not in the backup: they stay'],
  ['moved_aside', 'Moved aside', 'here, not in the backup: hidden, can be put back'],
] as const

/** What a restore would do. */
export function Plan({ plan }: { plan: RestorePlan }) {
  const { space, mixed_partitions: mixed } = plan
  return (
    <>
      <table>
        <caption class="hidden">Files that would change</caption>
        <thead>
          <tr>
            <th scope="col">Files</th>
            <th scope="col" class="number">
              Count
            </th>
            <th scope="col" class="number">
              Size
            </th>
          </tr>
        </thead>
        <tbody>
          {kinds.map(([kind, name, meaning]) => (
            <tr key={kind} class={plan.files[kind].files === 0 ? 'quiet' : ''}>
              <th scope="row">
                {name} <span class="quiet">– {meaning}</span>
              </th>
              <td class="number">{formatCount(plan.files[kind].files)}</td>
              <td class="number">{formatSize(plan.files[kind].bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <ul class="plain">
        {[...plan.databases, plan.configuration].map(({ name, path, action, why }) => (
          <li key={name}>
            <code>{path ?? name}</code>: {words[action]}
            {why ? ` (${why})` : ''}
          </li>
        ))}
        <li>
          Space: {formatSize(space.needed_bytes)} needed
          {space.free_bytes === null ? '' : `, ${formatSize(space.free_bytes)} free`}
          {space.sufficient ? '' : ' – not enough'}
        </li>
        {mixed.count > 0 && (
          <li>
            {count(mixed.count, 'day partition')} would hold compacted and raw files: {mixed.sample.join(', ')}
          </li>
        )}
        {plan.missing_files > 0 && <li>{formatCount(plan.missing_files)} files are missing in the backup</li>}
      </ul>
      <Warnings lines={plan.warnings} />
    </>
  )
}

const words = { replace: 'replaced, the old one is kept', create: 'created', keep: 'stays as it is' } as const
