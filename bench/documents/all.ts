import { describeRoutes } from './api.js'
import { describeConfiguration } from './configuration.js'
import { describeErrors } from './troubleshooting.js'

/** What is written from the code, by its path in the repository. */
export const documents: Readonly<Record<string, () => string>> = {
  'docs/api.md': describeRoutes,
  'docs/configuration.md': describeConfiguration,
  'docs/troubleshooting.md': describeErrors,
}
