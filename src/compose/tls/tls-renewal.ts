/** Follows certificates and keys in files that are renewed while the server runs. */
import { statSync } from 'node:fs';
import type { TlsConfig } from '../../config/config.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { readTls, type TlsMaterial } from './tls-files.ts';

/** Interval of the checks, in ms. Kubernetes replaces a secret by moving a link, which a file watcher would miss. */
export const tlsCheckMillis = 5_000;

/**
 * The files of a group may be replaced one after the other, so unusable ones are reported only if the next check finds
 * the same.
 */
const troubleAfter = 2;

/** What a {@link TlsRenewal} needs. */
export interface TlsRenewalParts {
  readonly clock: Clock;
  readonly telemetry: Pick<Telemetry, 'log'>;
  /**
   * Sentences about certificates in use that will be refused, each beginning with its group; see `invalidCertificates`.
   */
  readonly doubts: (now: number) => readonly string[];
}

interface Followed {
  readonly group: string;
  readonly paths: readonly string[];
  /** Reads the files and puts them to use if they have changed. Throws when they cannot be used. */
  readonly renew: () => boolean;
  /** Identifies a state of the files. */
  stamp: string;
  failures: number;
  /** The reported problem of the files; undefined while they are in use. */
  problem: string | undefined;
}

/**
 * Checks the files every {@link tlsCheckMillis} and passes on changes; connections from then on use them. When new
 * files cannot be used, the earlier ones remain in use: the renewal logs each error sentence once, and {@link
 * TlsRenewal.stale} shows it until the files are good again.
 */
export class TlsRenewal {
  readonly #parts: TlsRenewalParts;
  readonly #followed: Followed[] = [];
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: TlsRenewalParts) {
    this.#parts = parts;
  }

  /**
   * Reads the files of a group now, and again whenever they change; then it calls `renewed` with the result. `read`
   * throws a sentence when the files cannot be used; this first time it reaches the caller.
   */
  follow<T>(group: string, files: readonly (string | undefined)[], read: () => T, renewed: (material: T) => void): T {
    const paths = files.filter((path) => path !== undefined);
    // The state is taken before the reading: the next check sees a change in between.
    const stamp = stampOf(paths);
    const first = read();
    let inUse = JSON.stringify(first);
    const renew = (): boolean => {
      const material = read();
      const text = JSON.stringify(material);
      if (text === inUse) return false;
      renewed(material);
      inUse = text;
      return true;
    };
    if (paths.length > 0) this.#followed.push({ group, paths, renew, stamp, failures: 0, problem: undefined });
    return first;
  }

  /** TLS as configured below `group`, always with the latest texts; undefined when it is off. Throws as `readTls`. */
  live(group: string, files: TlsConfig): TlsMaterial | undefined {
    const read = (): TlsMaterial | undefined => readTls(group, files);
    let latest = this.follow(group, [files.caFile, files.certFile, files.keyFile], read, (material) => {
      latest = material;
    });
    if (latest === undefined) return undefined;
    const { serverName, explain } = latest;
    return {
      get ca() {
        return latest?.ca;
      },
      get cert() {
        return latest?.cert;
      },
      get key() {
        return latest?.key;
      },
      serverName,
      explain,
    };
  }

  /** By group: whether changed files cannot be used, so that the earlier ones are still in use. */
  get stale(): ReadonlyMap<string, boolean> {
    return new Map(this.#followed.map(({ group, problem }) => [group, problem !== undefined]));
  }

  /** Starts the checks. A second call, or one after `stop`, does nothing. */
  start(): void {
    if (this.#timer !== undefined || this.#isStopped || this.#followed.length === 0) return;
    this.#arm();
  }

  /** Stops the checks. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Checks all files now. Never throws. */
  look(): void {
    for (const followed of this.#followed) this.#lookAt(followed);
  }

  #arm(): void {
    this.#timer = this.#parts.clock.after(tlsCheckMillis, () => {
      this.look();
      this.#arm();
    });
  }

  #lookAt(followed: Followed): void {
    const { group, paths } = followed;
    const stamp = stampOf(paths);
    if (stamp === followed.stamp && followed.failures === 0) return;
    const { clock, telemetry } = this.#parts;
    try {
      const isNew = followed.renew();
      followed.stamp = stamp;
      followed.failures = 0;
      followed.problem = undefined;
      if (!isNew) return;
      telemetry.log('info', 'renewed certificate files are in use', { group });
      for (const sentence of this.#parts.doubts(clock.now())) {
        if (sentence.startsWith(`${group}.`)) telemetry.log('warn', sentence);
      }
    } catch (error) {
      followed.failures += 1;
      if (followed.failures < troubleAfter) return;
      const problem = error instanceof Error ? error.message : String(error);
      if (problem === followed.problem) return;
      followed.problem = problem;
      telemetry.log('error', 'changed certificate files cannot be used, the earlier ones stay in use', {
        group,
        error: problem,
      });
    }
  }
}

function stampOf(paths: readonly string[]): string {
  return paths.map((path) => stampOfFile(path)).join(' ');
}

/** The state of the file at the end of the path's links. */
function stampOfFile(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${String(mtimeMs)}:${String(size)}:${String(ino)}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
