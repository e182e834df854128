import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { type FileSet, placeOf } from './sets.js'

/** A row's time and two values, uncompressed; and what a file has beside its rows. In bytes. */
const perRow = 24
const perFile = 800
/** Files of one statement, where they are small. */
const filesAtOnce = 250
const smallRows = 50_000

/** The same set as `writeSet` writes, as real Parquet files of about that size, the same each time. @returns the bytes that they have together */
export async function writeParquetSet(root: string, { files, size }: FileSet): Promise<number> {
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  const rows = Math.max(1, Math.floor((size - perFile) / perRow))
  const group = rows > smallRows ? 1 : filesAtOnce
  let bytes = 0
  try {
    await connection.run(`SET threads = 2; SET partitioned_write_max_open_files = ${filesAtOnce}`)
    for (let first = 0; first < files; first += group) {
      bytes += await writeGroup(connection, root, { first, files: Math.min(group, files - first), rows })
    }
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
  return bytes
}

/** One statement for all of them; then each gets the name that Arc would have given it. */
async function writeGroup(
  connection: DuckDBConnection,
  root: string,
  { first, files, rows }: { first: number; files: number; rows: number },
): Promise<number> {
  const staging = `${root}/.staging`
  mkdirSync(staging, { recursive: true })
  await connection.run(`COPY (
    SELECT ${first} + range // ${rows} AS file, epoch_us(TIMESTAMP '2026-01-01') + range AS time,
      hash(range, ${first}) AS value, hash(range, ${first}, 'other') AS other
    FROM range(${files * rows})) TO '${staging}' (FORMAT parquet, COMPRESSION uncompressed, PARTITION_BY (file))`)
  let bytes = 0
  for (let index = first; index < first + files; index += 1) {
    const { folder, file } = placeOf(index)
    mkdirSync(`${root}/${folder}`, { recursive: true })
    renameSync(`${staging}/file=${index}/data_0.parquet`, `${root}/${folder}/${file}`)
    bytes += statSync(`${root}/${folder}/${file}`).size
  }
  rmSync(staging, { recursive: true })
  return bytes
}
