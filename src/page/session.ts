const key = 'arc-backup-token'

/** The token, for as long as the tab is open: it survives a reload, and no other tab or later visit has it. */
export const session = {
  read: (): string | null => sessionStorage.getItem(key),
  keep: (token: string): void => sessionStorage.setItem(key, token),
  forget: (): void => sessionStorage.removeItem(key),
}
