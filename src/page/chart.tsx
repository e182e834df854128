import { formatSize } from './format.js'

const [width, height] = [600, 64]

/** Throughput over the time that the page has watched. */
export function Chart({ rates }: { rates: readonly number[] }) {
  const peak = Math.max(...rates, 1)
  const step = width / Math.max(rates.length - 1, 1)
  const points = rates.map(
    (rate, index) => `${(index * step).toFixed(1)},${(height - (rate / peak) * (height - 4)).toFixed(1)}`,
  )
  const label = `Throughput: ${formatSize(rates.at(-1) ?? 0)} a second, at most ${formatSize(peak)} a second`
  return (
    <figure class="chart">
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
        {rates.length > 1 && (
          <>
            <polygon points={`0,${height} ${points.join(' ')} ${width},${height}`} />
            <polyline points={points.join(' ')} />
          </>
        )}
      </svg>
      <figcaption class="quiet">peak {formatSize(peak)}/s</figcaption>
    </figure>
  )
}
