import { appendFileSync } from 'node:fs'
import type { Flaw, Gap, VerifyLevel, VerifyStatus } from './operation.js'
import type { Run } from './run.js'
import { sampleSize } from './tracker.js'

/** Findings that are held before they are written down. */
const mostHeld = 256

/** What is wrong with a backup: counted and sampled in the status, and every one of them a line of JSON in a file of the operation. */
export class Findings {
  readonly file: string
  readonly #run: Run
  readonly #others = new Set<string>()
  #lines: string[] = []
  #count = 0

  constructor(run: Run, level: VerifyLevel) {
    this.#run = run
    this.file = `${run.scratch.url}/findings.jsonl`
    const none = { files: 0, sample: [] }
    run.tracker.verify = { level, verdict: null, flaws: { damaged: none, missing: none, unexpected: none } }
  }

  get count(): number {
    return this.#count
  }

  /** @param files that this one finding stands for, where single ones are not known */
  add(flaw: Flaw, gap: Gap, files = 1): void {
    const { path, code, message } = gap
    this.#count += files
    if (!path.startsWith('data/')) this.#others.add(path)
    this.#lines.push(`${JSON.stringify({ flaw, path, code, message })}\n`)
    if (this.#lines.length >= mostHeld) this.flush()
    this.#update((verify) => {
      const before = verify.flaws[flaw]
      const sample = before.sample.length < sampleSize ? [...before.sample, { path, code, message }] : before.sample
      return { ...verify, flaws: { ...verify.flaws, [flaw]: { files: before.files + files, sample } } }
    })
  }

  /** Is something wrong with this file, which is no data? */
  concern(path: string): boolean {
    return this.#others.has(path)
  }

  /** Says in the status what can be said of the backup. */
  conclude(): NonNullable<VerifyStatus['verdict']> {
    this.flush()
    const verdict = this.#count > 0 ? 'damaged' : (this.#run.tracker.verify?.level ?? 'damaged')
    this.#update((verify) => ({ ...verify, verdict }))
    return verdict
  }

  /** Writes down what is held. */
  flush(): void {
    if (this.#lines.length > 0) appendFileSync(this.file, this.#lines.join(''), { mode: 0o600 })
    this.#lines = []
  }

  #update(change: (verify: VerifyStatus) => VerifyStatus): void {
    const { tracker } = this.#run
    if (tracker.verify) tracker.verify = change(tracker.verify)
  }
}
