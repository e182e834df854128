import { fileURLToPath } from 'node:url'

/** Where package.json, docs and fixtures lie, with a `/` at the end: tests run as they are built, in `dist/test`. */
export const root = fileURLToPath(new URL('../../../', import.meta.url))

/** The program that an operator starts. */
export const program = `${root}dist/src/main.js`
