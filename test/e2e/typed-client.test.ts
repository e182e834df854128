import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import generate, { astToString } from 'openapi-typescript'
import t from 'tap'
import ts from 'typescript'
import { adminToken, copyFixture } from '../support/fixture.js'
import { startTestService } from '../support/service.js'

/** What somebody writes who has nothing but the description. */
const client = `
import createClient from 'openapi-fetch'
import type { paths } from './api.js'

export async function drive(baseUrl: string, token: string) {
  const api = createClient<paths>({ baseUrl, headers: { authorization: \`Bearer \${token}\` } })
  const started = await api.POST('/api/v1/backup', { body: { include_config: false } })
  if (!started.data) throw new Error(started.error.error)
  const { backup_id: id, operation_id: operation } = started.data
  let since = ''
  for (;;) {
    const { data } = await api.GET('/api/v1/backup/status', { params: { query: { wait: '30s', since } } })
    if (!data || data.status === 'idle') throw new Error('nothing runs')
    if (data.status !== 'running' && data.operation_id === operation) break
    since = data.event_id
  }
  const { data: list } = await api.GET('/api/v1/backup')
  const listed: number | undefined = list?.backups.find(({ backup_id }) => backup_id === id)?.total_size_bytes
  const params = { path: { id } }
  const { data: manifest } = await api.GET('/api/v1/backup/{id}', { params })
  const databases: string[] = manifest?.databases?.map(({ name }) => name) ?? []
  const { data: deleted } = await api.DELETE('/api/v1/backup/{id}', { params })
  const { error: gone } = await api.GET('/api/v1/backup/{id}', { params })
  return { id, listed, manifest, databases, deleted: deleted?.backup_id, gone: gone?.code }
}
`

/** What the compiler says of it; it is written down as JavaScript too. */
function compile(folder: string, name: string, source: string): string[] {
  writeFileSync(`${folder}/${name}.ts`, source)
  const program = ts.createProgram([`${folder}/${name}.ts`], {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
    types: [],
    strict: true,
  })
  program.emit()
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

t.test('a client that is generated from the description drives the service', async (t) => {
  const folder = t.testdir({ arc: {}, client: { 'package.json': '{"type":"module"}' } })
  copyFixture(`${folder}/arc`)
  const { service } = await startTestService(t, { folder: `${folder}/arc` })
  const description = await (await fetch(`${service.url}/openapi.json`)).text()
  writeFileSync(`${folder}/client/api.ts`, astToString(await generate(description)))
  t.same(compile(`${folder}/client`, 'client', client), [])
  const { drive } = (await import(pathToFileURL(`${folder}/client/client.js`).href)) as {
    drive: (url: string, token: string) => Promise<Record<string, unknown>>
  }
  const told = await drive(service.url, adminToken)
  t.match(told, {
    id: /^backup-/,
    listed: Number,
    manifest: { backup_id: told.id, has_config: false },
    databases: ['alpha_iot', 'metrics'],
    deleted: told.id,
    gone: 'NOT_FOUND',
  })

  const wrong = client.replace('include_config: false', 'include_config: 1').replace('data.event_id', 'data.event')
  t.match(compile(`${folder}/client`, 'wrong', wrong), [/'number' is not assignable/, /'event' does not exist/])
})
