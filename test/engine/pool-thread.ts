/** A thread's code that takes a while to load, and counts when it has. */
import { workerData } from 'node:worker_threads'

const { meters } = workerData as { meters: SharedArrayBuffer }
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
Atomics.add(new Int32Array(meters), 0, 1)

export default () => {}
