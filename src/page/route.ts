/** What the part of the address after `#` says. */
export type Route =
  | { readonly view: 'backups' }
  | { readonly view: 'journal' }
  | { readonly view: 'backup' | 'restore'; readonly id: string; readonly target: string }

export function parseRoute(hash: string): Route {
  const [view, target = '', id = ''] = hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent)
  if ((view === 'backup' || view === 'restore') && id !== '') return { view, id, target }
  return { view: view === 'journal' ? 'journal' : 'backups' }
}

/** @param view `backup` or `restore` */
export function hrefOf(view: 'backup' | 'restore', id: string, target: string): string {
  return `#/${view}/${encodeURIComponent(target)}/${encodeURIComponent(id)}`
}
