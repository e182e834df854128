/** Thread entry for all SQLite work on Arc's databases: a snapshot of some hundred MiB blocks its thread for a second. */
export { runMetadataTask as default } from '../src/metadata/task.js'
