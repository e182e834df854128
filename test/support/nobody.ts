const nobody = 65534

/** Runs something with the rights of user 65534 in this process, threads included. Needs root. */
export async function asNobody<T>(action: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0 || !process.seteuid || !process.setegid)
    throw new Error('this test needs root: it gives rights up')
  process.setegid(nobody)
  process.seteuid(nobody)
  try {
    return await action()
  } finally {
    process.seteuid(0)
    process.setegid(0)
  }
}
