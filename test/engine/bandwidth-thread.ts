import { parentPort, workerData } from 'node:worker_threads'
import { Bandwidth } from '../../src/engine/bandwidth.js'

/** A thread that moves files of one size until it is told to stop: in a row, or several beside each other. */
export interface ThreadData {
  readonly bandwidth: SharedArrayBuffer
  /** Not 0: stop. */
  readonly stop: SharedArrayBuffer
  readonly size: number
  /** Files at once; 0 blocks the thread instead. */
  readonly lanes: number
}

const { bandwidth: buffer, stop, size, lanes } = workerData as ThreadData
const bandwidth = new Bandwidth(buffer)
const stopCell = new Int32Array(stop)
const check = (): void => {
  if (Atomics.load(stopCell, 0) !== 0) throw new Error('stopped')
}
let bytes = 0

async function move(): Promise<void> {
  for (;;) {
    check()
    if (lanes === 0) bandwidth.spend(size, { check })
    else await bandwidth.pay(size, check)
    bytes += size
  }
}

parentPort?.postMessage('ready')
const stopped = await Promise.allSettled(Array.from({ length: Math.max(1, lanes) }, move))
parentPort?.postMessage({ bytes, reasons: stopped.map((one) => (one.status === 'rejected' ? one.reason.message : '')) })
