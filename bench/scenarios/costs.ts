/** What each of many steps of one execution costs, at the beginning and at the end. */
import { wait } from '../load.ts';
import { cpuMillis, type Mock, type Server } from '../processes.ts';
import { say, type Add } from '../report.ts';

/** Of all steps, those at either end that are compared. */
const share = 0.1;

/** Steps before the first that are compared: V8 is cold for some thousand executions' worth of work. */
const warmUpShare = 0.05;

/** What was done by an instant, and the processor time it took so far. */
export interface Sample {
  readonly done: number;
  readonly at: number;
  readonly pod: number;
  readonly postgres: number;
}

/** Cost of what was done between two points, each given as a share of all. */
function costBetween(samples: readonly Sample[], from: number, to: number): Sample {
  const at = (done: number): Sample => samples.find((sample) => sample.done >= done) ?? (samples.at(-1) as Sample);
  const [start, end] = [at(from), at(to)];
  const done = Math.max(1, end.done - start.done);
  return {
    done,
    at: (end.at - start.at) / done,
    pod: (end.pod - start.pod) / done,
    postgres: (end.postgres - start.postgres) / done,
  };
}

/** What is watched. */
export interface Watched {
  readonly mock: Mock;
  readonly server: Server;
  /** Processor time of Postgres so far in ms; 0 without it. */
  readonly postgres: () => Promise<number>;
  /** Count of the mock before the first step; 0 by default. */
  readonly from?: number;
}

/** Watches a counter of the mock until `count` steps are done. */
export async function watch(
  which: keyof Mock['counts'],
  count: number,
  { mock, server, postgres, from = 0 }: Watched,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (let told = 0; ;) {
    const done = mock.counts[which] - from;
    samples.push({ done, at: performance.now(), pod: cpuMillis(server.pid), postgres: await postgres() });
    if (done >= count) return samples;
    if (Math.floor((done / count) * 10) > told) {
      told = Math.floor((done / count) * 10);
      say(`${which}: ${String(done)} of ${String(count)}`);
    }
    await wait(0.25);
  }
}

/** Reports what one of `count` costs at the beginning and at the end. */
export function reportCosts(add: Add, title: string, samples: readonly Sample[], count: number): void {
  const first = costBetween(samples, count * warmUpShare, count * (warmUpShare + share));
  const last = costBetween(samples, count * (1 - share), count);
  add(`${title}: first, pod CPU`, first.pod, 'ms');
  add(`${title}: last, pod CPU`, last.pod, 'ms');
  if (last.postgres > 0) {
    add(`${title}: first, Postgres CPU`, first.postgres, 'ms');
    add(`${title}: last, Postgres CPU`, last.postgres, 'ms');
  }
  add(`${title}: last to first, CPU`, (last.pod + last.postgres) / (first.pod + first.postgres), 'ratio', '<= 1.2');
  add(`${title}: last to first, time`, last.at / first.at, 'ratio');
}

/** Steps per second and ms of processor time of the pod for each, without those of the beginning. */
export function rateOf(
  samples: readonly Sample[],
  count: number,
): { readonly perSecond: number; readonly pod: number } {
  const { at, pod } = costBetween(samples, count * warmUpShare, count);
  return { perSecond: 1_000 / at, pod };
}
