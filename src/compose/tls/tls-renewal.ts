/** Certificates and keys in files that are renewed while the server runs. */
import { statSync } from 'node:fs';
import type { TlsConfig } from '../../config/config.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { readTls, type TlsMaterial } from './tls-files.ts';

/** How often files are looked at, in ms. Kubernetes replaces a secret by moving a link, which watching a file would miss. */
export const tlsCheckMillis = 5_000;

/** A file may be replaced between two others of its group: what cannot be used is trouble when it still cannot at the next look. */
const troubleAfter = 2;

/** What a {@link TlsRenewal} stands on. */
export interface TlsRenewalParts {
  readonly clock: Clock;
  readonly telemetry: Pick<Telemetry, 'log'>;
  /** Sentences about what is in use now and yet will be refused, each beginning with its group; see `invalidCertificates`. */
  readonly doubts: (now: number) => readonly string[];
}

interface Followed {
  readonly group: string;
  readonly paths: readonly string[];
  /** Reads the files and puts them to use, where they hold something else than before. Throws when they cannot be used. */
  readonly renew: () => boolean;
  /** Tells one state of the files from another. */
  stamp: string;
  failures: number;
  /** What was said about the files; undefined while they are in use. */
  problem: string | undefined;
}

/**
 * Looks at the files every {@link tlsCheckMillis} and hands on what has changed; connections that are made from then on use it. Files
 * that cannot be used leave the earlier ones in use: an error is logged, once per sentence, and {@link TlsRenewal.stale} says so until
 * the files are good again.
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
   * Reads the files of a group now, and again whenever they change: then `renewed` is called, with what was read. `read` is to throw a
   * sentence when they cannot be used; here it reaches the caller.
   */
  follow<T>(group: string, files: readonly (string | undefined)[], read: () => T, renewed: (material: T) => void): T {
    const paths = files.filter((path) => path !== undefined);
    // Before they are read: a change in between is seen at the next look.
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

  /** TLS as configured below `group`, whose texts are always the latest; undefined when it is off. Throws as `readTls`. */
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

  /** By group: whether changed files cannot be used, so that the earlier ones still are. */
  get stale(): ReadonlyMap<string, boolean> {
    return new Map(this.#followed.map(({ group, problem }) => [group, problem !== undefined]));
  }

  /** Begins to look. A second call, or one after `stop`, does nothing. */
  start(): void {
    if (this.#timer !== undefined || this.#isStopped || this.#followed.length === 0) return;
    this.#arm();
  }

  /** Ends it. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Looks at all files now. Never throws. */
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

/** Of the file that the path leads to in the end. */
function stampOfFile(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${String(mtimeMs)}:${String(size)}:${String(ino)}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
