import { ServiceError } from '../errors.js'

/** Longest name of one segment that Linux file systems take, in bytes. */
export const longestSegment = 255

const flawed = /(?:^|\/)\.{0,2}(?:\/|$)|[\0\uFFFD]/
const flawedName = /^\.{0,2}$|[/\0\uFFFD]/

/**
 * The folders, each with its slash, of the last two paths that were found to be sound: where a file is read from and where it is written. Files come folder by folder, and looking
 * through the whole of both paths of each took a thirtieth of copying small ones.
 */
let [sound, soundBefore] = ['', '']

/**
 * The path itself, if it can name a file of a store: relative, `/`-separated, without empty, `.` or `..` segments, NUL, or U+FFFD.
 * Node decodes a file name that is not UTF-8 to U+FFFD and can then no longer open it: such a name must be reported, not lost.
 */
export function checkPath(path: string): string {
  if (isSoundIn(sound, path) || isSoundIn(soundBefore, path)) return path
  if (path !== '' && !flawed.test(path)) {
    soundBefore = sound
    sound = path.slice(0, path.lastIndexOf('/') + 1)
    return path
  }
  if (path === '') throw new ServiceError('PATH_INVALID', 'a path must not be empty')
  if (path.includes('\0')) throw new ServiceError('PATH_INVALID', `path ${quote(path)} holds a NUL character`)
  if (path.includes('�')) throw new ServiceError('PATH_INVALID', `path ${quote(path)} is not valid UTF-8`)
  throw new ServiceError('PATH_INVALID', `path ${quote(path)} must be relative, without empty, "." or ".." segments`)
}

function isSoundIn(folder: string, path: string): boolean {
  return folder !== '' && path.startsWith(folder) && !flawedName.test(path.slice(folder.length))
}

/** A path as it may stand in a message: control characters escaped, at most 300 characters. */
export function quote(path: string): string {
  return JSON.stringify(path.length > 300 ? `${path.slice(0, 300)}…` : path)
}
