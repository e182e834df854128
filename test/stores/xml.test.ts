import t from 'tap'
import { elementText, unescapeXml } from '../../src/stores/xml.js'

t.test('every kind of reference, and what is none', async (t) => {
  t.equal(unescapeXml('a&lt;&gt;&amp;amp;&quot;&apos;&#10;&#x1F600;'), 'a<>&amp;"\'\n\u{1F600}')
  t.equal(unescapeXml('&nbsp; & &;'), '&nbsp; & &;')
})

t.test('the first element of a name', async (t) => {
  const xml = '<A><Size>1</Size><B>x &amp; y</B><B>z</B><C></C></A>'
  t.equal(elementText(xml, 'B'), 'x & y')
  t.equal(elementText(xml, 'C'), '')
  t.equal(elementText(xml, 'D'), undefined)
})
