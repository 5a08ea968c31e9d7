/** What the scenarios share: what they are told, and what they answer. */
import type { BackendName } from './backends.ts';

/** What a scenario is told. */
export interface Options {
  readonly backend: BackendName;
  readonly pods: number;
  readonly seconds: number;
  readonly workers: number;
  /** Size of what is seeded or done; undefined: the size of the target. */
  readonly count: number | undefined;
  /** Whether the soak also breaks things. */
  readonly faults: boolean;
}

/** One figure. */
export interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly target?: string;
}

/** Reports a figure, with what it has to be. */
export type Add = (what: string, value: number, unit: string, target?: string) => void;

/** A scenario: measures, and reports. */
export type Scenario = (options: Options, add: Add) => Promise<void>;

/** A definition as it is pushed. */
export interface NamedDefinition {
  readonly name: string;
  readonly version: string;
  readonly [field: string]: unknown;
}

/** Says on stderr what goes on: seeding takes its time, and the report is on stdout. */
export function say(sentence: string): void {
  console.error(sentence);
}
