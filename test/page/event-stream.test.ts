import t from 'tap'
import { takeEvents } from '../../src/page/event-stream.js'

t.test('whole events are taken, the rest waits', (t) => {
  const text = 'retry: 1000\n\nevent: phase\nid: a.1\ndata: {"x":1}\n\n:\n\ndata: {"y":2}\n\nevent: prog'
  t.same(takeEvents(text), {
    events: [
      { event: 'phase', id: 'a.1', data: '{"x":1}' },
      { event: 'message', id: '', data: '{"y":2}' },
    ],
    rest: 'event: prog',
  })
  t.same(takeEvents(''), { events: [], rest: '' })
  t.end()
})
