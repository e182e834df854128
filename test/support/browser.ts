import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import chromium from '@sparticuz/chromium'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'
import type { Test } from 'tap'
import { root } from './root.js'

/** How long the page may take to show something, in ms. */
const patience = 30_000
const script = pathToFileURL(`${root}dist/page/main.js`).href

/** The Chromium that npm brings, or another: `CHROMIUM_PATH`. Who starts it closes it. */
export async function launchBrowser(): Promise<Browser> {
  return puppeteer.launch({
    executablePath: process.env.CHROMIUM_PATH ?? (await chromium.executablePath()),
    headless: 'shell',
    // As root there is no sandbox, and /dev/shm may be small.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  })
}

/** A view of the service's page, and what went wrong in it that nobody looked for. */
export interface View {
  readonly page: Page
  readonly problems: string[]
  /** What is to be read now. */
  text(): Promise<string>
  /** Waits until this is to be read. */
  reads(text: string | RegExp): Promise<void>
  /** Clicks the button, link or other thing that has this name for a screen reader. */
  click(name: string): Promise<void>
  fill(name: string, text: string): Promise<void>
  signIn(token: string): Promise<void>
}

/** A browser of its own for a test, which closes it. */
export async function openView(t: Test, url: string): Promise<View> {
  const browser = await launchBrowser()
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  const { NODE_V8_COVERAGE: records } = process.env
  if (records) t.teardown(await recordCoverage(page, records))
  return viewOf(page, url)
}

/** What Node does for its processes, for the page: writes what ran of its script, as that of the file that was built. Answers what ends it. */
async function recordCoverage({ coverage }: Page, records: string): Promise<() => Promise<void>> {
  await coverage.startJSCoverage({ resetOnNavigation: false, includeRawScriptCoverage: true })
  return async () => {
    const scripts = (await coverage.stopJSCoverage()).filter(({ url }) => url.endsWith('/page/main.js'))
    const result = scripts.map(({ rawScriptCoverage }) => ({ ...rawScriptCoverage, url: script }))
    writeFileSync(`${records}/coverage-page-${randomUUID()}.json`, JSON.stringify({ result }))
  }
}

export async function viewOf(page: Page, url: string): Promise<View> {
  const problems: string[] = []
  page.setDefaultTimeout(patience)
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => {
    // A refused or broken request is the business of the test that causes it.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) problems.push(message.text())
  })
  await page.setViewport({ width: 1200, height: 900 })
  await page.goto(url)
  const named = (name: string) => page.locator(`::-p-aria(${name})`)
  // Asked from here: the page's own policy lets nobody make functions in it.
  const text: View['text'] = async () => String(await page.evaluate('document.body.innerText'))
  const reads: View['reads'] = async (wanted) => {
    const end = performance.now() + patience
    for (;;) {
      const found = await text()
      if (typeof wanted === 'string' ? found.includes(wanted) : wanted.test(found)) return
      if (performance.now() > end) throw new Error(`the page does not read ${wanted}, but: ${found}`)
      await sleep(25)
    }
  }
  const view: View = {
    page,
    problems,
    text,
    reads,
    click: async (name) => named(name).click(),
    fill: async (name, text) => named(name).fill(text),
    signIn: async (token) => {
      await view.fill('Admin token of Arc', token)
      await view.click('Sign in')
    },
  }
  return view
}
