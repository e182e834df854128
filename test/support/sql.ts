import { DuckDBInstance } from '@duckdb/node-api'

/** Runs one query of DuckDB's and answers its rows as strings, so that big integers compare too. */
export async function query(sql: string): Promise<string[][]> {
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  try {
    const result = await connection.runAndReadAll(sql)
    return result.getRows().map((row) => row.map(String))
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** Rows of a measurement, as Arc would count them: hidden files don't count. */
export async function countRows(storage: string, measurement: string): Promise<number> {
  const [row] = await query(`SELECT count(*) FROM read_parquet('${storage}/${measurement}/**/[!.]*.parquet')`)
  return Number(row?.[0])
}
