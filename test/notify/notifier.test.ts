import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { Notifier } from '../../src/notify/notifier.js'
import { news, openLog, receive } from './scene.js'

const secret = 'a secret of the webhook'

t.test('both are told of the same, programs one at a time; its end waits for them', async (t) => {
  const folder = t.testdir({})
  const path = `${folder}/hook.sh`
  writeFileSync(
    path,
    '#!/bin/sh\ncd "$(dirname "$0")"\necho begin >> order\nsleep 0.1\necho $ARC_BACKUP_EVENT >> order\n',
    { mode: 0o755 },
  )
  const { received, url } = await receive(t, 204)
  const { log } = openLog()
  const notifier = new Notifier(
    { command: { path, timeoutMs: 10_000 }, webhook: { url, secret, timeoutMs: 5000 } },
    log,
  )
  notifier.tell(news.operation)
  notifier.tell({ ...news.operation, operation: 'prune', outcome: 'failed' })
  notifier.tell({ ...news.operation, outcome: 'interrupted', resumable: true })
  await notifier.close()
  t.equal(readFileSync(`${folder}/order`, 'utf8'), 'begin\nbackup.completed\nbegin\nprune.failed\n')
  t.same(received.map(({ body }) => JSON.parse(body).type).sort(), ['backup.completed', 'prune.failed'])
})

t.test('nobody to be told, and a webhook that does not answer when it ends', async (t) => {
  const { lines, log } = openLog()
  const none = new Notifier({ command: null, webhook: null }, log)
  none.tell(news.operation)
  await none.close()
  const { url } = await receive(t, 500)
  const notifier = new Notifier({ command: null, webhook: { url, secret, timeoutMs: 5000 } }, log)
  notifier.tell(news.operation)
  const began = performance.now()
  await notifier.close(200)
  t.ok(performance.now() - began < 2000)
  t.equal(lines.at(-1)?.message, 'the webhook was not told before the end of this process')
})
