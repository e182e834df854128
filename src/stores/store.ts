import type { Readable } from 'node:stream'

/** Up to this many bytes a file is read and written whole, beyond it in parts of at least this size. */
export const smallFile = 8 << 20

/** How long a store that does not answer is tried. */
export interface Patience {
  /** Ms without a byte moved after which a failing request is given up (`backup.retry_timeout`). */
  readonly retryTimeoutMs: number
  /** Ms without a byte after which a transfer is broken off and tried again (`backup.stall_timeout`). */
  readonly stallTimeoutMs: number
}

/** One file as a store knows it. */
export interface StoredFile {
  /** Relative to the store's root, segments separated by `/`. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Modification time in nanoseconds since the epoch, as precise as the store has it. */
  readonly mtimeNs: bigint
  /** The store's version tag of the content, where it has one (not on local disk). */
  readonly etag?: string
  /** Only from `list` with `depth: 1`: this entry is a folder, its `size` is 0. */
  readonly folder?: true
}

export interface ListOptions {
  /** One level only; folders are entries of their own. */
  readonly depth?: 1
  /** Names are enough: sizes and times come as 0. Saves a system call a file. */
  readonly namesOnly?: true
  /** Answers whether a path (a file, or a folder ending in `/`) is left out; a folder left out is not walked. */
  readonly exclude?: (path: string) => boolean
}

export interface ReadOptions {
  /** First byte to read. */
  readonly start?: number
  /** Read exactly this version (`StoredFile.etag`) or fail with SOURCE_CHANGED. */
  readonly version?: string
}

/** How a file is put on a disk; object stores have nothing of the kind and take no notice. */
export interface Placement {
  /**
   * Write under the final name from the start. Only where nothing counts as visible there: inside a backup that has no manifest
   * yet, or under a temporary name. Saves a rename for each file (20 % of the time of small ones, measured).
   * A file that is there already is not replaced: STORE_EXISTS.
   */
  readonly direct?: true
  /** Modification time to give to the file, in nanoseconds since the epoch. */
  readonly mtimeNs?: bigint
  /** Owner and group to give to the file; needs root. */
  readonly owner?: { readonly uid: number; readonly gid: number }
}

export interface WriteOptions extends Placement {
  /** Bytes that the source will give. Whether it did is checked by the source's meter, not by the store. */
  readonly size: number
  /** SHA-256 (hex) of the content, where it is known beforehand. */
  readonly sha256?: string
  /** The same where it is known once the source has ended: asked then by a store that can still put it on record (Azure, with its list of blocks). */
  readonly sha256AtEnd?: () => string
  /** Bytes that the parts on their way may take, where there are parts; with less than two of them two are taken. Absent: what `uploadMemory` says. */
  readonly memory?: number
  /** Fail with STORE_EXISTS if there is a file of this name already; of several writers at once exactly one wins. */
  readonly ifAbsent?: true
  /** Only for a store with versions, and its door for small files: replace this one or fail with STORE_EXISTS (STORE_NOT_FOUND where it is gone). */
  readonly ifVersion?: string
  /** One of many: it need not be on stable storage before `sync`. */
  readonly bulk?: true
  /**
   * Only for a store that uploads in parts: called, and waited for, before the first part of an upload moves, with what `abortUpload`
   * needs to remove it: parts of an upload that nobody remembers cost money and are in no listing.
   */
  readonly onUpload?: (upload: Upload) => void | Promise<void>
  /** The same before the upload is begun: who dies before the answer does not know its id. */
  readonly beforeUpload?: (path: string) => void | Promise<void>
  /** Called when the upload was completed or removed: nobody has to remember it any more. */
  readonly onUploadEnd?: (upload: Upload) => void | Promise<void>
}

/** What a store tells of its uploads in parts. */
export type UploadNotes = Pick<WriteOptions, 'onUpload' | 'beforeUpload' | 'onUploadEnd'>

/** An upload in parts that is under way: plain data, to be kept on record. */
export interface Upload {
  readonly path: string
  /** '' where it is not known: any upload to this very path. */
  readonly uploadId: string
}

/** A whole file in memory. */
export interface Content {
  readonly bytes: Buffer
  readonly mtimeNs: bigint
  readonly etag?: string
}

/** What a listing saw of a file: bytes, nanoseconds since the epoch, and its version tag where the store has them. */
export interface Seen {
  readonly size: number
  readonly mtimeNs: bigint
  readonly etag?: string
}

export interface CopyOptions extends Placement {
  /** Share the source's blocks where that works (see `sharesBlocks`), and read what is in its place then; copy where it does not. */
  readonly share?: true
  /** A source that is not what was seen of it fails with SOURCE_CHANGED; where it is given, nobody looks before reading. */
  readonly seen?: Seen
  /** Bytes expected; a source of another size fails with INTEGRITY. Absent: whatever it has when it is opened. */
  readonly size?: number
  /** SHA-256 (hex) expected; other content fails with INTEGRITY and leaves nothing. With `size` it is all that the source is held against. */
  readonly sha256?: string
  /** Called after each block with the number of bytes moved; what it throws ends the copy. */
  readonly onBytes?: (bytes: number) => void
}

export interface SyncOptions {
  /** A folder that holds all that matters; '' or absent for the whole store. */
  readonly below?: string
  /** Only so that a later call finds less to do; where that would cost more than it saves nothing happens. */
  readonly ahead?: true
}

/** What is left on the file system of a store. */
export interface Space {
  readonly bytes: number
  /** Bytes of the whole file system. */
  readonly capacity: number
  /** Inodes; Infinity where the file system has no limit. */
  readonly files: number
}

export interface Copied {
  /** Bytes. */
  readonly size: number
  /** SHA-256 (hex) of every byte that was written. */
  readonly sha256: string
  /** Modification time of the source as it was while it was read; 0 where size and hash were known and nobody looked. */
  readonly sourceMtimeNs: bigint
  /** Version tag of the source that was read, where its store has them. */
  readonly sourceEtag?: string
  /** The store copied by itself: no byte went through this process. */
  readonly serverSide?: true
  /** Version tag of the copy, where its store has them. */
  readonly etag?: string
}

/** One of a store's own files, as it is on record. */
export interface Recorded {
  /** Bytes. */
  readonly size: number
  /** SHA-256 (hex). */
  readonly sha256: string
  /** Version tag of the file when it was written, where the store has them. */
  readonly etag?: string
}

/** What a store made of one of its own files under a second name. */
export interface Duplicated {
  /** Version tag of the new name, where the store has them. */
  readonly etag?: string
  /** Does the store vouch for the recorded SHA-256 of the new file? Otherwise for its being the recorded version's. */
  readonly hashed?: true
  /** Was it copied, and not merely named again? */
  readonly serverSide?: true
}

/**
 * One place where files live. Paths are `/`-separated and relative to the store's root; each method refuses one that is absolute,
 * empty, or has an empty, `.` or `..` segment or a NUL (PATH_INVALID). Every failure is a ServiceError.
 */
export interface Store {
  /** For people, in messages: `/var/lib/arc`, `s3://bucket/prefix`. Never holds a credential. */
  readonly url: string

  /** How long this store is tried when it does not answer; absent where nothing is tried twice. */
  readonly patience?: Patience

  /**
   * Every file below the folder `prefix` ('' for all; or below several), in no particular order, never all held in memory. Links, devices and
   * sockets are not files. A folder that vanishes while it is walked is skipped; a single
   * folder that is not there from the start is STORE_NOT_FOUND.
   */
  list(prefix: string | readonly string[], options?: ListOptions): AsyncIterable<StoredFile>

  /**
   * The store's own narrower door for threads, where it has one: one level of some folders at once, in one go; the thread is blocked meanwhile. Like `list`
   * with `depth: 1` otherwise.
   */
  listLevel?(folders: readonly string[], options?: ListOptions): StoredFile[]

  /**
   * When the entries of each of these folders last changed, in nanoseconds: two equal ones mean that no file came, went or was replaced in between; -1 equals none. Undefined
   * where that can't be told. Blocks its thread: for worker threads.
   */
  folderTimes?(folders: readonly string[]): BigInt64Array | undefined

  /** Rejects with STORE_NOT_FOUND. */
  stat(path: string): Promise<StoredFile>

  /** A file that is missing or may not be read rejects here, never later as an error of the stream. */
  read(path: string, options?: ReadOptions): Promise<Readable>

  /** All or nothing: afterwards the path shows the whole source, or what it showed before. */
  write(path: string, source: Readable, options: WriteOptions): Promise<StoredFile>

  /**
   * What is not there counts as removed. Folders left empty by it go too, where a store has folders.
   * A path that ends in `/` is a folder and goes with all that is in it.
   */
  remove(paths: Iterable<string>): Promise<void>

  /**
   * A whole file of at most `smallFile` bytes in one go, without a stream, where that costs less: the door for Arc's many small files. Rejects like `read`.
   * A file that has turned out larger is SOURCE_CHANGED.
   */
  readSmall?(path: string, options?: Pick<ReadOptions, 'version'>): Promise<Content>

  /** The same for writing; all or nothing. The bytes are the caller's again when this has resolved or rejected. */
  writeSmall?(
    path: string,
    bytes: Buffer,
    options?: Omit<WriteOptions, 'size' | keyof UploadNotes>,
  ): Promise<StoredFile>

  /** Bytes of memory that `write` wants for a file of so many bytes, where it sends it in parts. @throws STORE_FULL for one that it can't hold */
  uploadMemory?(size: number, path: string): number

  /** Removes what an interrupted upload left; one that is not there any more counts as removed. */
  abortUpload?(upload: Upload): Promise<void>

  /** The store's own narrower door where both ends allow one (disk to disk: one buffer, no stream). Undefined: use read and write. */
  copy?(from: Store, path: string, to: string, options: CopyOptions): Promise<Copied | undefined>

  /** The same in one go, where there is nothing to wait for: a promise for each of many small files is felt. Blocks its thread: for worker threads. */
  copyNow?(from: Store, path: string, to: string, options: CopyOptions): Copied | undefined

  /**
   * Can it have another store's files without their bytes being written, since both are on one file system that shares blocks between files (XFS, Btrfs)? Tried on one file,
   * under the name `spare`, of which nothing stays. A file that is not there is no reason to reject.
   */
  sharesBlocks?(from: Store, path: string, spare: string, options?: Pick<Placement, 'owner'>): Promise<boolean>

  /**
   * One of its own files under a second name, without a byte through this process: a hard link on disk, a copy inside the service elsewhere. Undefined where
   * the file is not there as recorded, or the store can't (too many links, another file system, a refusal): then copy. Rejects for what is wrong with the
   * new name alone: STORE_EXISTS on a disk where it is taken.
   */
  duplicate?(path: string, to: string, recorded: Recorded, options?: UploadNotes): Promise<Duplicated | undefined>

  /** Everything written so far is on stable storage when this resolves. */
  sync?(options?: SyncOptions): Promise<void>

  /** Replaces `to` by `from` in one step; `from` is gone afterwards. Only where the store has such a step. */
  rename?(from: string, to: string): Promise<void>

  /** Rejects with PATH_UNSAFE if this folder ('' or ending in `/`), as far as it exists, is not a real folder below the root. */
  inspectFolder?(folder: string): Promise<void>

  /**
   * Is there nothing in this folder (as above) but plain files and folders? False as well where that is more than its own entries tell. One that is gone has nothing
   * in it. Blocks its thread: for worker threads.
   */
  hasOnlyFiles?(folder: string): boolean

  /** Room left for more files, where a store has such a limit. */
  space?(): Promise<Space>

  close(): Promise<void>
}
