import type { SettingsKey, TargetFields } from './settings.js'

/** What a key is for, as `docs/configuration.md` has it. */
export interface Meaning {
  /** In one or two sentences. */
  readonly is: string
  /** A value as it stands in the file. */
  readonly example: string
  /** The default as it would stand in the file, where it can't be told from the schema: one that is a duration, or that depends on the machine. */
  readonly otherwise?: string
}

type StoreKey = Exclude<keyof TargetFields, 'type' | 'local_path' | 'lock' | 'databases'>
/** `storage.s3_bucket` and the like mean what they mean under a target. */
type OwnKey = Exclude<SettingsKey, `storage.${string}`> | 'storage.backend' | 'storage.local_path'

const database = (of: string): Meaning => ({
  is: `The SQLite file of ${of}; it is backed up once where several are the same.`,
  example: '"./data/arc.db"',
})
const notBackedUp = (what: string, example: string): Meaning => ({ is: `${what}: never part of a backup.`, example })

const kept = (is: string, example: string): Meaning => ({ is: `Backups that a scheduled prune keeps. ${is}`, example })

/** The keys that a store has, under `[storage]` and under each target. */
export const meaningsOfStores: Readonly<Record<StoreKey, Meaning>> = {
  s3_bucket: { is: 'The bucket.', example: '"acme-arc-backups"' },
  s3_prefix: { is: 'Everything is below this prefix.', example: '"arc"' },
  s3_region: { is: 'Region of the bucket.', example: '"eu-central-1"' },
  s3_endpoint: {
    is: 'Another server than AWS; without a scheme, `s3_use_ssl` decides.',
    example: '"minio.example.com:9000"',
  },
  s3_access_key: {
    is: 'Without it: `AWS_ACCESS_KEY_ID`, then profile, web identity, container, instance.',
    example: '"AKIA…"',
  },
  s3_secret_key: { is: 'Its secret. Better in the environment than in the file.', example: '"…"' },
  s3_use_ssl: { is: 'Is an endpoint without a scheme reached by TLS?', example: 'false' },
  s3_path_style: { is: 'The bucket in the path instead of in the name of the host; MinIO wants it.', example: 'true' },
  s3_sse: { is: 'Encryption that is asked for with each object.', example: '"aws:kms"' },
  s3_kms_key_id: { is: 'Key for `aws:kms`.', example: '"arn:aws:kms:eu-central-1:111122223333:key/…"' },
  s3_storage_class: { is: 'Storage class that is asked for with each object.', example: '"STANDARD_IA"' },
  azure_container: { is: 'The container.', example: '"arc-backups"' },
  azure_prefix: { is: 'Everything is below this prefix.', example: '"arc"' },
  azure_connection_string: {
    is: 'All in one; of the credentials the first that is set counts.',
    example: '"DefaultEndpointsProtocol=https;AccountName=…"',
  },
  azure_account_name: { is: 'The account, for each of the credentials below.', example: '"acme"' },
  azure_sas_token: { is: 'A SAS of the container.', example: '"sv=…&sig=…"' },
  azure_account_key: { is: 'The key of the account.', example: '"…"' },
  azure_use_managed_identity: { is: 'Take the identity of the machine or pod.', example: 'true' },
  azure_endpoint: {
    is: 'Another server than the one of the account.',
    example: '"https://acme.blob.core.windows.net"',
  },
}

/** The other keys of a target. */
export const meaningsOfTargets: Readonly<Record<'type' | 'local_path' | 'lock', Meaning>> = {
  type: { is: 'What kind of store it is. Needed.', example: '"s3"' },
  local_path: { is: 'The folder, where the type is `local`.', example: '"/mnt/nas/arc-backups"' },
  lock: {
    is: "`none` takes no lock there: only for a store on which one can't work, with one writer.",
    example: '"none"',
  },
}

/** Every key but those of stores. A key that is not here does not compile. */
export const meanings: Readonly<Record<OwnKey, Meaning>> = {
  'server.host': {
    is: "Arc's own address; this service listens there where `backup.host` is not set. Empty: every address.",
    example: '"127.0.0.1"',
  },
  'server.port': { is: "Arc's own port; this service takes it where `backup.port` is not set.", example: '8000' },
  'server.read_timeout': { is: 'Seconds for a whole request.', example: '30' },
  'server.idle_timeout': { is: 'Seconds that a connection may be silent between two requests.', example: '120' },
  'server.tls_enabled': { is: 'Serve TLS, with the two files below.', example: 'true' },
  'server.tls_cert_file': { is: 'Certificate and chain, PEM.', example: '"/etc/arc/tls/cert.pem"' },
  'server.tls_key_file': { is: 'Its key, PEM.', example: '"/etc/arc/tls/key.pem"' },
  'log.level': { is: 'The least level that is logged.', example: '"debug"' },
  'log.format': { is: '`console` for lines that people read.', example: '"console"' },
  'auth.enabled': {
    is: 'Without authentication the service listens on this machine only, and refuses requests of other web pages.',
    example: 'true',
  },
  'auth.db_path': database('tokens, and of whatever else Arc keeps there'),
  'auth.cache_ttl': {
    is: 'Seconds that a verdict on a token is kept; a revoked token is refused at once all the same.',
    example: '300',
  },
  'auth.max_cache_size': { is: 'Verdicts that are kept.', example: '1000' },
  'auth.bootstrap_token': {
    is: "An admin's token while there is none in `arc.db`: after a restore on a bare machine. At least 32 characters.",
    example: '"at-least-32-characters-of-randomness"',
  },
  'storage.backend': { is: "Where Arc's data is.", example: '"s3"' },
  'storage.local_path': { is: 'The folder, where the backend is `local`.', example: '"/var/lib/arc/data"' },
  'retention.enabled': { is: 'Does Arc apply retention? Then its database is backed up.', example: 'true' },
  'retention.db_path': database('retention policies'),
  'continuous_query.enabled': {
    is: 'Does Arc run continuous queries? Then their database is backed up.',
    example: 'true',
  },
  'continuous_query.db_path': database('continuous queries'),
  'iceberg.enabled': { is: 'Does Arc keep an Iceberg catalog? Then its database is backed up.', example: 'false' },
  'iceberg.catalog_db_path': database('the Iceberg catalog'),
  'iceberg.warehouse': {
    is: 'A warehouse outside of the storage is in no backup, and the manifest says so.',
    example: '"/var/lib/arc/warehouse"',
  },
  'tiered_storage.enabled': {
    is: 'With a cold tier: what has moved there is in no backup, and the manifest says so.',
    example: 'false',
  },
  'tiered_storage.cold.enabled': { is: 'The same.', example: 'false' },
  'wal.directory': notBackedUp("Arc's write-ahead log", '"./data/wal"'),
  'cluster.raft_data_dir': notBackedUp("Raft's files", '"./data/raft"'),
  'compaction.temp_directory': notBackedUp('What a compaction is writing', '"./data/compaction"'),
  'database.temp_directory': notBackedUp("DuckDB's temporary files", '"./.tmp"'),
  'backup.enabled': {
    is: "`false` in Arc's environment keeps Arc's own backup off; here there is nothing to serve then.",
    example: 'true',
  },
  'backup.local_path': {
    is: 'Where backups go on this machine: the target `local`. Empty: there is none.',
    example: '"/mnt/backups"',
  },
  'backup.target_names': {
    is: 'Names of targets of which nothing stands in the file, only in variables.',
    example: '"offsite, nas"',
  },
  'backup.default_target': {
    is: 'Where a backup goes that names no target. Needed where there is more than one.',
    example: '"offsite"',
  },
  'backup.host': { is: 'Address to listen on, in place of `server.host`.', example: '"127.0.0.1"' },
  'backup.port': { is: 'Port to listen on, in place of `server.port`.', example: '8010' },
  'backup.tls_client_ca_file': {
    is: 'Certificates (PEM) of the authorities whose clients may connect. A token is needed all the same; so are certificates for `/health` and `/metrics`. The command line shows one with `--url … --cert FILE --key FILE`.',
    example: '"/etc/arc/tls/clients.pem"',
  },
  'backup.tls_client_auth': {
    is: '`request` lets those in that show no certificate; one that is not right is refused.',
    example: '"request"',
  },
  'backup.operation_timeout': {
    is: 'An operation that runs longer ends as failed.',
    example: '"12h"',
    otherwise: '"2h"',
  },
  'backup.on_interrupt': {
    is: 'What becomes of an operation that a stop or a crash has interrupted: it goes on at the next start, or what it left is removed.',
    example: '"clean"',
  },
  'backup.incremental': {
    is: 'Take what has not changed from an earlier backup in the same target.',
    example: 'false',
  },
  'backup.rehash_after': {
    is: 'A file whose hash is older is copied, and hashed, again.',
    example: '"90d"',
    otherwise: '"30d"',
  },
  'backup.keep_replaced': {
    is: 'How long files that a restore in mode `replace` moved aside are kept.',
    example: '"24h"',
    otherwise: '"72h"',
  },
  'backup.lock_ttl': {
    is: 'A lock on an object store that was not renewed for this long may be taken over.',
    example: '"2m"',
    otherwise: '"60s"',
  },
  'backup.retry_timeout': {
    is: 'A store that does not answer is tried until no byte has moved for this long. One that asks for a longer pause than is left of it (`Retry-After`) is given up at once.',
    example: '"5m"',
    otherwise: '"60s"',
  },
  'backup.stall_timeout': {
    is: 'A transfer that moves no byte for this long is broken off, and tried again.',
    example: '"1m"',
    otherwise: '"30s"',
  },
  'backup.transfers': {
    is: 'Most files in flight in each thread where a store is remote. How many there are is found out, from 16 on.',
    example: '32',
    otherwise: '64',
  },
  'backup.memory_limit': {
    is: 'Memory that files on their way to and from remote stores may take, beside what the process itself needs. One that needs more goes alone.',
    example: '"512MiB"',
    otherwise: "a quarter of the container's or the machine's, at most 1 GiB",
  },
  'backup.bandwidth_limit': {
    is: 'What all operations together may move, or read for a verify. Can be changed while they run.',
    example: '"200MB/s"',
    otherwise: 'none',
  },
  'backup.priority': {
    is: '`low` on a host that serves queries: half as many threads, of the lowest priority. From disk to disk, and in a verify on disk, they rest now and then, too.',
    example: '"low"',
  },
  'backup.workers': { is: 'Threads that copy.', example: '4', otherwise: 'one for each core; half in low priority' },
  'backup.state_path': {
    is: "The service's own records: journal, lists of files, verdicts. One service for each.",
    example: '"/var/lib/arc-backup"',
  },
  'backup.max_skipped': {
    is: 'A backup with a larger share of files that could not be read fails.',
    example: '"1%"',
    otherwise: '"10%"',
  },
  'backup.settle_passes': {
    is: 'How often a day partition is listed again that changes while it is copied.',
    example: '20',
  },
  'backup.allow_unauthenticated': {
    is: 'Listen on other addresses too where `auth.enabled` is false: whoever reaches it can restore and delete.',
    example: 'true',
  },
  'backup.schedule.cron': {
    is: 'When a backup, a verify of it and a prune run: minute, hour, day of month, month, day of week; a sixth field before them is for seconds. Without it nothing runs by itself.',
    example: '"0 3 * * *"',
  },
  'backup.schedule.timezone': {
    is: 'By whose clock; days and weeks of the prune begin in it too.',
    example: '"Europe/Berlin"',
    otherwise: "this machine's",
  },
  'backup.schedule.target': {
    is: 'Where to.',
    example: '"offsite"',
    otherwise: '`default_target`',
  },
  'backup.schedule.verify': { is: 'How closely each backup is looked at.', example: '"deep"' },
  'backup.schedule.prune.keep_last': kept('The newest so many.', '3'),
  'backup.schedule.prune.keep_hourly': kept('The newest of each of the last so many hours that have one.', '24'),
  'backup.schedule.prune.keep_daily': kept('The same for days.', '7'),
  'backup.schedule.prune.keep_weekly': kept('The same for weeks, from Monday on.', '5'),
  'backup.schedule.prune.keep_monthly': kept('The same for months.', '12'),
  'backup.schedule.prune.keep_yearly': kept('The same for years.', '3'),
  'backup.schedule.prune.within': kept('What is younger than so many days, seen from the newest.', '30'),
  'backup.hooks.command': {
    is: 'A program that is told how each operation ended, without a shell and without arguments.',
    example: '"/usr/local/bin/after-backup"',
  },
  'backup.hooks.timeout': { is: 'It is killed when it takes longer.', example: '"5m"', otherwise: '"60s"' },
  'backup.webhook.url': {
    is: 'An address that gets a signed POST at the end of each operation. It is treated as a secret.',
    example: '"https://example.org/hooks/arc"',
  },
  'backup.webhook.secret': {
    is: 'What is posted is signed with it. Better in the environment than in the file.',
    example: '"at least sixteen characters"',
  },
  'backup.webhook.timeout': {
    is: 'An answer that takes longer is none.',
    example: '"30s"',
    otherwise: '"10s"',
  },
}
