import { Readable } from 'node:stream'
import type { PipelineResponse } from '@azure/core-rest-pipeline'
import { type ErrorCode, ServiceError } from '../errors.js'
import { azureFailure, type Place } from './azure-failure.js'
import type { DirectResponse } from './azure-http.js'
import { bodyOf, wholeOf } from './http-body.js'
import { quote } from './path.js'
import { stopSignal } from './stopping.js'

const highWaterMark = 1 << 18

/** The body of an answer; see `receive`, which our own connections do by themselves. */
export function streamOf(response: PipelineResponse | DirectResponse, place: Place, stallMs: number): Readable {
  if ('answer' in response) return bodyOf(response.answer, (error) => azureFailure(error, place))
  const stream = Readable.from(receive(response, place, stallMs), { objectMode: false, highWaterMark })
  // A stream that is given up before its first byte never enters the generator.
  const { readableStreamBody: body } = response
  if (body instanceof Readable) {
    stream.once('close', () => body.destroy())
    // Nor does its failure then: who reads on meets it there.
    body.on('error', () => {})
  }
  return stream
}

/**
 * The bytes of an answer, all of them or a failure: an answer cut short is STORE_UNREACHABLE, one in which no byte comes while somebody
 * waits for it is STORE_TIMEOUT. A consumer may take its time.
 */
export async function* receive(
  response: PipelineResponse,
  place: Place,
  stallMs: number,
  stop = stopSignal(),
): AsyncGenerator<Buffer, void, undefined> {
  const { readableStreamBody: body, headers } = response
  if (!(body instanceof Readable)) return
  const expected = Number(headers.get('content-length') ?? Number.NaN)
  let [received, waiting] = [0, true]
  const timer = setTimeout(() => {
    if (waiting) body.destroy(broken('STORE_TIMEOUT', place, `no byte came for ${stallMs / 1000} s`))
    else timer.refresh()
  }, stallMs)
  const breakOff = (): void => void body.destroy(stop?.reason)
  stop?.addEventListener('abort', breakOff, { once: true })
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      received += chunk.length
      waiting = false
      yield chunk
      waiting = true
      timer.refresh()
    }
    if (received < expected) {
      throw broken('STORE_UNREACHABLE', place, `the answer ended after ${received} of ${expected} bytes`)
    }
  } catch (error) {
    throw azureFailure(error, place)
  } finally {
    clearTimeout(timer)
    stop?.removeEventListener('abort', breakOff)
    body.destroy()
  }
}

/** All bytes of an answer. @param most of them @param tooLong what more of them are */
export async function readWhole(
  response: PipelineResponse | DirectResponse,
  place: Place,
  stallMs: number,
  { most, tooLong }: { most: number; tooLong: () => ServiceError },
): Promise<Buffer> {
  if ('answer' in response) {
    try {
      return await wholeOf(response.answer, most, tooLong)
    } catch (error) {
      throw azureFailure(error, place)
    }
  }
  if (Number(response.headers.get('content-length')) > most) {
    streamOf(response, place, stallMs).destroy()
    throw tooLong()
  }
  const parts: Buffer[] = []
  for await (const part of receive(response, place, stallMs)) parts.push(part)
  return Buffer.concat(parts)
}

/** What was answered is not all that there is. */
export function broken(code: ErrorCode, { verb, path, url }: Place, why: string): ServiceError {
  return new ServiceError(code, `cannot ${verb} ${quote(path)} at ${url}: ${why}`, { verb, path, store: url })
}
