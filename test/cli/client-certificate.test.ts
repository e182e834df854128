import { appendFileSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { Authority } from '../support/certificates.js'
import { adminToken, arcBackupId } from '../support/fixture.js'
import { startTestService } from '../support/service.js'
import { prepare } from './scene.js'

t.test('a service that demands certificates, from the command line', async (t) => {
  const { folder, run } = prepare(t)
  const [ours, others] = [new Authority(`${folder}/tls`), new Authority(`${folder}/others`)]
  const [server, client, stranger] = [ours.sign('server'), ours.sign('client'), others.sign('stranger')]
  const env = {
    ARC_SERVER_TLS_ENABLED: 'true',
    ARC_SERVER_TLS_CERT_FILE: server.certFile,
    ARC_SERVER_TLS_KEY_FILE: server.keyFile,
    ARC_BACKUP_TLS_CLIENT_CA_FILE: ours.certFile,
    ARC_BACKUP_TLS_CLIENT_AUTH: 'require',
    // So that it is there to be followed.
    ARC_BACKUP_BANDWIDTH_LIMIT: '64KB/s',
  }
  const { service } = await startTestService(t, { folder, env })
  const ca = ['--cacert', ours.certFile]
  const ask = (command: string, ...args: string[]) =>
    run([command, '--url', service.url, ...args], { ARC_TOKEN: adminToken })

  t.match(await ask('list', ...ca, '--cert', client.certFile, '--key', client.keyFile), {
    code: 0,
    out: new RegExp(arcBackupId),
  })
  // Followed by its stream of events, on connections that show the certificate too.
  const backup = await ask('backup', '--json', ...ca, '--cert', client.certFile, '--key', client.keyFile)
  t.match(backup, { code: 0, err: /backup \[/ })
  t.match(JSON.parse(backup.out), { outcome: 'completed' })

  const both = `${folder}/both.pem`
  copyFileSync(client.certFile, both)
  appendFileSync(both, readFileSync(client.keyFile))
  t.match(await ask('list', ...ca, '--cert', both), { code: 0 }, 'certificate and key in one file, as for curl')
  const own = { ARC_BACKUP_CLIENT_CERT: client.certFile, ARC_BACKUP_CLIENT_KEY: client.keyFile }
  const all = { ...own, ARC_TOKEN: adminToken, ARC_BACKUP_CLIENT_CACERT: ours.certFile }
  t.match(await run(['list', '--url', service.url], all), { code: 0 }, 'from the environment')
  t.match(await run(['list'], own), { code: 0, err: '' }, 'which is known where nothing is asked for, too')

  t.match(await ask('list', ...ca), { code: 1, err: /^arc-backup: cannot reach https:/ }, 'none')
  const wrong = await ask('list', ...ca, '--cert', stranger.certFile, '--key', stranger.keyFile)
  t.match(wrong, { code: 1, out: '', err: /^arc-backup: cannot reach https:/ }, "a stranger's")
  t.match(
    await ask('list', '--cert', client.certFile, '--key', client.keyFile),
    { code: 1, err: /certificate/ },
    'a service that nobody vouches for is not spoken to',
  )
  t.match(await run(['list', '--url', service.url, '--cert', stranger.certFile, '--key', stranger.keyFile], all), {
    code: 1,
  })
})

t.test('files that are not what they should be are refused before anything is sent', async (t) => {
  const { folder, run } = prepare(t)
  const { certFile, keyFile } = new Authority(`${folder}/tls`)
  const other = new Authority(`${folder}/others`).keyFile
  writeFileSync(`${folder}/nothing.pem`, 'nothing')
  const list = ['list', '--url', 'https://127.0.0.1:1']
  for (const [args, message] of [
    [['--cert', `${folder}/missing.pem`], 'cannot read .*missing.pem \\(--cert\\): ENOENT'],
    [['--cert', certFile, '--key', `${folder}/missing.pem`], 'cannot read .*missing.pem \\(--key\\): ENOENT'],
    [['--cert', `${folder}/nothing.pem`], 'there is no certificate \\(PEM\\) in .*nothing.pem \\(--cert\\)'],
    [['--cacert', `${folder}/nothing.pem`], 'there is no certificate \\(PEM\\) in .*nothing.pem \\(--cacert\\)'],
    [['--cert', certFile], 'key in .*authority.pem \\(--cert\\) is not the key of that certificate'],
    [['--cert', certFile, '--key', other], 'authority.key \\(--key\\) is not the key of that certificate'],
    [['--key', keyFile], "--key is a certificate's: it needs --cert"],
  ] as const) {
    const { code, err } = await run([...list, ...args])
    t.same(code, 2, args.join(' '))
    t.match(err, new RegExp(message))
  }
  for (const args of [['list'], ['list', '--url', 'http://127.0.0.1:1']]) {
    t.match(await run([...args, '--cacert', certFile]), {
      code: 2,
      err: 'arc-backup: --cacert is for a service at a --url that begins with https:\n',
    })
  }
})
