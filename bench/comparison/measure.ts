/** One measurement of one system, on servers that only it has, with nothing else of the comparison running. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { cpuOfDescendants, startBackend, type Backend } from '../backends.ts';
import { bareCalls, oneAtATime, saturate } from '../load.ts';
import { startMock, type Mock } from '../processes.ts';
import type { Measurement } from './report.ts';
import type { Running, System } from './systems.ts';

/** How much is measured. */
export interface Load {
  readonly delayMillis: number;
  readonly inFlight: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** Workflows one at a time, of which the first fifth is not counted. */
const aloneCount = 300;

/** Processor time since the machine's start, in milliseconds: that of all processes, and that of this benchmark's. */
function spentCpu(): { readonly all: number; readonly own: number } {
  const [user = 0, nice = 0, system = 0] = (/^cpu +([\d ]+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '')
    .split(' ')
    .map(Number);
  const own = [...cpuOfDescendants().values()].reduce((sum, each) => sum + each, 0);
  return { all: (user + nice + system) * 10, own };
}

/** Measures, and how much of the machine was taken by whatever else runs on it meanwhile. */
async function watched(measure: () => Promise<Measurement>, load: Load): Promise<Measurement> {
  let before = spentCpu();
  let at = performance.now();
  let othersPercent = Number.NaN;
  const timers = [
    setTimeout(() => {
      before = spentCpu();
      at = performance.now();
    }, load.warmUpSeconds * 1000),
    setTimeout(
      () => {
        const after = spentCpu();
        const others = after.all - before.all - (after.own - before.own);
        othersPercent = (100 * others) / ((performance.now() - at) * cpus().length);
      },
      (load.warmUpSeconds + load.seconds * 0.9) * 1000,
    ),
  ];
  try {
    const measured = await measure();
    return { ...measured, othersPercent };
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

/** Three calls in a row, nothing durable: what the machine, the mock and the HTTP client leave to reach. */
export async function measureFloor(load: Load): Promise<Measurement> {
  const { delayMillis } = load;
  const mock = await startMock(delayMillis);
  try {
    const half = { ...load, seconds: load.seconds / 2 };
    return await watched(async () => {
      const { perSecond, cpuPerWorkflow } = await bareCalls(mock, half);
      return { name: 'floor', delayMillis, perSecond, cpuMillis: cpuPerWorkflow };
    }, half);
  } finally {
    await mock.stop();
  }
}

async function measureLoaded(
  system: System,
  { server, runPath, idField, helperPids }: Running,
  backend: Backend,
  mock: Mock,
  load: Load,
): Promise<Measurement> {
  const full = await saturate([server], mock, runPath, {
    ...load,
    connections: load.inFlight,
    work: () => backend.work(),
    ...(idField === undefined ? undefined : { idField }),
    ...(helperPids === undefined ? undefined : { helperPids }),
  });
  const { postgresCpu, redisCpu } = full.perWorkflow ?? { postgresCpu: 0, redisCpu: 0 };
  const store = postgresCpu + redisCpu;
  return {
    name: system.name,
    delayMillis: load.delayMillis,
    perSecond: full.perSecond,
    cpuMillis: full.cpuPerWorkflow + store,
    ...(store > 0 ? { storeCpuMillis: store } : undefined),
    p50Millis: full.p50,
    p99Millis: full.p99,
    residentMib: full.residentMib,
  };
}

/** A system under load, and at 0 ms also one workflow at a time. Starts all of it, and ends it. */
export async function measureSystem(system: System, load: Load): Promise<Measurement> {
  const { delayMillis } = load;
  const mock = await startMock(delayMillis);
  try {
    const backend = await startBackend(system.backend);
    try {
      const running = await system.start(mock, backend);
      try {
        const measured = await watched(() => measureLoaded(system, running, backend, mock, load), load);
        if (delayMillis !== 0) return measured;
        const alone = await oneAtATime(running.server, running.waitPath, aloneCount);
        return { ...measured, aloneP50Millis: alone.p50, aloneP99Millis: alone.p99 };
      } finally {
        await running.stop();
      }
    } finally {
      await backend.close();
    }
  } finally {
    await mock.stop();
  }
}
