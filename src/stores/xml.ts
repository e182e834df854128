const references: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

const elements = new Map<string, RegExp>()

/** The text of the first element of this name, or undefined where there is none. For answers whose elements have neither attributes nor, of this name, others within. */
export function elementText(xml: string, name: string): string | undefined {
  let element = elements.get(name)
  if (!element) {
    element = new RegExp(`<${name}>([^<]*)<`)
    elements.set(name, element)
  }
  const text = element.exec(xml)?.[1]
  return text === undefined ? undefined : unescapeXml(text)
}

/** The text that escaped text of an XML element stands for. References to entities that XML does not define stay as they are. */
export function unescapeXml(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex?: string, decimal?: string, name = '') => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    return decimal === undefined ? (references[name] ?? all) : String.fromCodePoint(Number(decimal))
  })
}
