/** Names inside a backup's folder; all but the sidecar are Arc's own. */
export const backupPaths = {
  /** Written last: a folder without it is no backup. */
  manifest: 'manifest.json',
  /** The list of all files with their SHA-256. */
  sidecar: 'manifest-files.json',
  /** Below it, storage paths as they are in the storage. */
  data: 'data/',
  metadata: (name: string): string => `metadata/${name}.db`,
  config: 'config/arc.toml',
  /** Written first, removed last: while it is there, the folder is in the making or on its way out. */
  marker: '.arc-backup.json',
} as const
