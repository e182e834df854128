#!/usr/bin/env -S node --max-semi-space-size=4
import { runProgram } from './cli/program.js'

// Backups hold token hashes and configuration: nothing that is made here is for other users.
process.umask(0o077)
// Whoever read the output may be gone (`| head`): no reason to break off a backup.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
process.exitCode = await runProgram(process.argv.slice(2), process)
