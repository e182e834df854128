import { Readable } from 'node:stream'
import { createHttpHeaders, createPipelineRequest, type PipelineResponse } from '@azure/core-rest-pipeline'
import t from 'tap'
import { receive, streamOf } from '../../src/stores/azure-read.js'
import { collect } from './contract.js'

const place = { verb: 'read', path: 'a', url: 'azure://account/container' } as const

t.test('an answer that ends before the length it announced is a failure', async (t) => {
  const whole = streamOf(answer('12345', 5), place, 1000)
  t.equal(String(await collect(whole)), '12345')
  await t.rejects(collect(streamOf(answer('12345', 6), place, 1000)), {
    code: 'STORE_UNREACHABLE',
    message: 'cannot read "a" at azure://account/container: the answer ended after 5 of 6 bytes',
  })
})

t.test('an answer without a body has no bytes', async (t) => {
  const { readableStreamBody: _, ...bodiless } = answer('', 0)
  for await (const _ of receive(bodiless, place, 1000)) t.fail()
  t.pass('and ends')
})

function answer(text: string, length: number): PipelineResponse {
  const request = createPipelineRequest({ url: 'https://account.blob.core.windows.net/container/a' })
  const headers = createHttpHeaders({ 'content-length': length })
  return {
    request,
    status: 200,
    headers,
    readableStreamBody: Readable.from([Buffer.from(text)], { objectMode: false }),
  }
}
