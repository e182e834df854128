import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { startMinio } from '../servers/minio.js'
import { copyFixture } from '../support/fixture.js'
import { bucketPlace } from '../support/place.js'
import { hashTree } from '../support/tree.js'
import { end, serve } from './served.js'

t.setTimeout(300_000)

t.test('a target over TLS with a certificate of its own, as docs/stores.md configures it', async (t) => {
  const minio = await startMinio(t, { tls: true })
  const { bucket } = await minio.bucket()
  const folder = t.testdir({})
  copyFixture(folder)
  const { accessKeyId, secretAccessKey } = minio.credentials
  const target = [
    ...['[backup.targets.there]', 'type = "s3"', `s3_bucket = "${bucket}"`, 's3_use_ssl = true'],
    ...[`s3_endpoint = "127.0.0.1:${minio.port}"`, 's3_path_style = true'],
    ...[`s3_access_key = "${accessKeyId}"`, `s3_secret_key = "${secretAccessKey}"`],
  ]
  writeFileSync(`${folder}/arc.toml`, `${readFileSync(`${folder}/arc.toml`, 'utf8')}\n${target.join('\n')}\n`)
  const large = `${folder}/data/arc/metrics/cpu/large.parquet`
  writeFileSync(large, Buffer.alloc(20 << 20, 'large'))

  const env = { ARC_BACKUP_DEFAULT_TARGET: 'there' }
  const strange = await serve(t, folder, env)
  await strange.call('POST', '')
  t.match(await strange.settled(), { outcome: 'failed', error_code: 'TLS', error: /NODE_EXTRA_CA_CERTS/ })
  await end(strange, 'SIGTERM')

  const served = await serve(t, folder, { ...env, NODE_EXTRA_CA_CERTS: minio.certificate })
  const { backup_id } = await served.call('POST', '')
  t.match(await served.settled(), { outcome: 'completed', skipped_files: 0 })
  const before = hashTree(`${folder}/data/arc`)
  const kept = await bucketPlace(minio, bucket).tree()
  for (const [path, hash] of Object.entries(before)) {
    if (path.endsWith('.parquet')) t.equal(kept[`${backup_id}/data/${path}`], hash, path)
  }
  rmSync(`${folder}/data/arc/metrics`, { recursive: true })
  await served.call('POST', '/restore', { backup_id, confirm: true, restore_metadata: false })
  t.match(await served.settled(), { outcome: 'completed', verified: true })
  t.same(hashTree(`${folder}/data/arc`), before)
  await end(served, 'SIGTERM')
})
