import type { Random } from '../random.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import type { ProcessClock } from '../process-clock.ts';
import type { Cut } from '../rules/reach.ts';

/** Faults of a wire. Probabilities per request; durations in milliseconds. */
export interface WireFaults {
  readonly lostRequest: number;
  readonly lostAnswer: number;
  /** The request arrives only after its client gave up. */
  readonly late: number;
  /** The answer takes up to `slowMillis` longer. */
  readonly slow: number;
  readonly slowMillis: number;
  /** When the client gives up. */
  readonly deadlineMillis: number;
}

/** A wire without faults. */
export const calmWire: WireFaults = {
  lostRequest: 0,
  lostAnswer: 0,
  late: 0,
  slow: 0,
  slowMillis: 0,
  deadlineMillis: 2_000,
};

/** What a wire needs. */
export interface WireParts {
  readonly clock: VirtualClock;
  readonly process: ProcessClock;
  readonly random: Random;
  /** The faults now. */
  readonly faults: () => WireFaults;
  /** Whether the server can be reached from this process now. */
  readonly isUp: () => boolean;
  /** How this process alone is cut off from the server; undefined: it is not. */
  readonly cut: () => Cut | undefined;
  /** The error that the client gets when it gives up. */
  readonly unavailable: (what: string) => Error;
  readonly note: (what: string) => void;
  /** Whether requests, and answers, keep their order, as on one connection. */
  readonly ordered: boolean;
  /** Called for every request before it leaves. */
  readonly departing: () => void;
}

/** One direction of a wire; an ordered one lets nothing overtake. */
class Line {
  readonly #parts: Pick<WireParts, 'clock' | 'ordered'>;
  #last = 0;

  constructor(parts: Pick<WireParts, 'clock' | 'ordered'>) {
    this.#parts = parts;
  }

  /** The time of a message that would take `delay` alone. */
  after(delay: number): number {
    const { clock, ordered } = this.#parts;
    if (!ordered) return delay;
    const now = clock.monotonic();
    this.#last = Math.max(now + delay, this.#last);
    return this.#last - now;
  }
}

/**
 * The way between a process and a server (store or queue), with delays and losses, also between "it was done" and "the
 * answer came".
 *
 * A request may never arrive, arrive and its answer be lost, or arrive long after the client gave up. Chance decides
 * whether requests of a process that died meanwhile still arrive. The client gives up after a deadline, as real
 * adapters do.
 */
export class Wire {
  readonly #parts: WireParts;
  readonly #arrival: Line;
  readonly #answers: Line;

  constructor(parts: WireParts) {
    this.#parts = parts;
    this.#arrival = new Line(parts);
    this.#answers = new Line(parts);
  }

  /** Executes a request at the server. Rejects with what the server threw, or as unavailable. */
  request<T>(operation: string, execute: () => Promise<T>): Promise<T> {
    const { clock, process, random, faults, isUp, cut, unavailable, note } = this.#parts;
    const isReached = (): boolean => isUp() && cut() === undefined;
    this.#parts.departing();
    const { lostRequest, lostAnswer, late, slow, slowMillis, deadlineMillis } = faults();
    const fate = random.next();
    const isLost = fate < lostRequest;
    const isMute = !isLost && fate < lostRequest + lostAnswer;
    const isLate = !isLost && !isMute && fate < lostRequest + lostAnswer + late;
    return new Promise<T>((resolve, reject) => {
      const deadline = process.after(deadlineMillis, () => reject(unavailable('no answer in time')));
      const answer = (settle: () => void, after: number): void => {
        clock.after(after, () => {
          if (cut() === 'mute') note(`${operation}: answer lost on the way`);
          else {
            process.deliver(() => {
              deadline.cancel();
              settle();
            });
          }
        });
      };
      if (cut() === 'mute') {
        note(`${operation}: request lost on the way`);
        return;
      }
      if (!isReached()) {
        answer(() => reject(unavailable('unreachable')), random.int(0, 3));
        return;
      }
      if (isLost) {
        note(`${operation}: request lost`);
        return;
      }
      const delay = isLate ? deadlineMillis + random.int(0, 5_000) : random.int(0, 2);
      // A late request is out of order by nature.
      clock.after(isLate ? delay : this.#arrival.after(delay), () => {
        if (process.isDead && random.chance(0.5)) {
          note(`${operation}: lost with its process`);
          return;
        }
        if (cut() === 'mute') {
          note(`${operation}: request lost on the way`);
          return;
        }
        if (!isReached()) {
          answer(() => reject(unavailable('went away')), 1);
          return;
        }
        if (isLate) note(`${operation}: arrives late`);
        execute().then(
          (value) => {
            if (isMute || isLate) {
              if (isMute) note(`${operation}: answer lost`);
              return;
            }
            const wait = random.int(0, 2) + (random.chance(slow) ? random.int(0, slowMillis) : 0);
            answer(() => resolve(value), this.#answers.after(wait));
          },
          (error: unknown) => answer(() => reject(error instanceof Error ? error : new Error(String(error))), 1),
        );
      });
    });
  }
}
