import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { findPage } from '../../src/http/page.js'
import { root } from '../support/root.js'
import { startApi } from './scene.js'

t.test('the page is open to all, under a policy that lets nothing else in', async (t) => {
  const { call, raw } = await startApi(t)
  const page = await call('GET', '/', { headers: {} })
  t.equal(page.status, 200)
  t.match(page.headers.get('content-type'), 'text/html')
  const policy = page.headers.get('content-security-policy') ?? ''
  t.match(policy, "default-src 'none'; script-src 'self'")
  t.notMatch(policy, /unsafe|\*|https?:/)
  t.notMatch(page.text, /<script>|<style|style=|\son[a-z]+=/, 'nothing in the text itself')
  const paths = [...page.text.matchAll(/(?:src|href)="?([^" >]+)/g)].map(([, path]) => `/${path}`)
  t.same(paths.sort(), ['/page/icon.svg', '/page/main.js', '/page/style.css'])
  for (const path of paths) {
    const asset = await call('GET', path, { headers: {} })
    t.equal(asset.status, 200, path)
    t.notMatch(asset.text.replaceAll('http://www.w3.org/', ''), /https?:\/\/(?!localhost)[a-z]/, 'no other host')
    const etag = asset.headers.get('etag') ?? ''
    const again = await raw(`GET ${path} HTTP/1.1\r\nIf-None-Match: ${etag}\r\nConnection: close\r\n\r\n`)
    t.match(again, /^HTTP\/1.1 304 /)
  }
  t.match(await call('HEAD', '/', { headers: {} }), { status: 200, text: '' })
})

t.test('it is small', async (t) => {
  const names = ['index.html', 'main.js', 'style.css', 'icon.svg']
  const sizes = names.map((name) => gzipSync(readFileSync(`${root}dist/page/${name}`)).length)
  t.ok(sizes.reduce((all, size) => all + size) < 150_000, `${sizes}`)
})

t.test('everything else is as it was', async (t) => {
  const { call } = await startApi(t)
  t.equal((await call('GET', '/page/', { headers: {} })).status, 401)
  t.equal((await call('GET', '/page/../package.json', { headers: {} })).status, 401)
  t.equal((await call('GET', '/page/main.js.map', { headers: {} })).status, 401)
  t.equal((await call('POST', '/', { headers: {} })).status, 401)
  const api = await call('GET', '/api/v1/backup')
  t.equal(api.headers.get('content-security-policy'), "default-src 'none'; frame-ancestors 'none'")
  t.equal(findPage('file:///nowhere/src/http/page.js'), null)
})
