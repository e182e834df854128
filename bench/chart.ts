import type { Section } from './report.js'
import { median } from './statistics.js'

const bar = { height: 16, gap: 4, left: 150, width: 420 }

/** An SVG: wall seconds of each contestant, relative to the reference, a group of bars for each section. */
export function drawChart(sections: readonly Section[]): string {
  const shapes: string[] = []
  let y = 10
  for (const { title, series } of sections) {
    const walls = series.map(({ runs }) => median(runs.map(({ wall }) => wall)))
    const most = Math.max(...walls)
    shapes.push(`<text x="0" y="${y + 12}" font-weight="bold">${escapeXml(title)}</text>`)
    y += bar.height + bar.gap
    for (const [index, { name }] of series.entries()) {
      const wall = walls[index] ?? 0
      const fill = name.startsWith('arc-backup') ? '#2563eb' : '#94a3b8'
      const width = ((wall / most) * bar.width).toFixed(1)
      const ratio = (wall / (walls[0] ?? wall)).toFixed(2)
      shapes.push(
        `<text x="${bar.left - 6}" y="${y + 12}" text-anchor="end">${escapeXml(name)}</text>`,
        `<rect x="${bar.left}" y="${y}" width="${width}" height="${bar.height}" fill="${fill}"/>`,
        `<text x="${bar.left + Number(width) + 6}" y="${y + 12}">${wall.toFixed(2)} s, ${ratio} ×</text>`,
      )
      y += bar.height + bar.gap
    }
    y += bar.height
  }
  const size = `width="720" height="${y}" viewBox="0 0 720 ${y}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">\n<title>Wall times: ours and each peer</title>\n<rect width="100%" height="100%" fill="#fff"/>\n${shapes.join('\n')}\n</svg>\n`
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
