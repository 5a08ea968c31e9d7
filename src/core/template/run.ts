import type { RenderContext } from '../context/context.ts';
import type { Json } from '../value/json.ts';
import { utf8Length } from '../value/utf8.ts';
import type { StepsView } from './path-source.ts';

/** Bounds of one rendering: of a single template, or of all templates of a request together. */
export interface RenderLimits {
  /** Maximum number of steps (tags, texts, iterations of sections, lookups of completed nodes). At least 1. */
  readonly maxSteps: number;
  /** Maximum size of the output as UTF-8, in bytes. At least 1. */
  readonly maxBytes: number;
}

/** Default limits: 100 000 steps, 1 MiB. */
export const defaultRenderLimits: RenderLimits = { maxSteps: 100_000, maxBytes: 1_048_576 };

/** A failed rendering; the message is a sentence that names the template path. Never leaves the core. */
export class RenderFault extends Error {
  override readonly name = 'RenderFault';
}

/** Receives all output, in order. */
export interface OutputTracker {
  see(text: string): void;
}

/** Options of a {@link Run}. */
export interface RunOptions {
  /** Whether `runtime.*`, `round`, `attempt` and idempotency keys are replaced by constants. */
  readonly stable: boolean;
  /** Formats the error for output beyond this number of bytes. */
  readonly tooLarge: (maxBytes: number) => string;
}

/** Options for a single template. */
export const ofTemplate: RunOptions = {
  stable: false,
  tooLarge: (maxBytes) => `The template renders more than ${String(maxBytes)} bytes.`,
};

/**
 * One rendering in progress: the output so far, its cost, and the items of the open sections. The limits apply to
 * everything written during the rendering, including output already taken, since a request is one rendering. Must not
 * be shared or reused; discard it after a {@link RenderFault}.
 */
export class Run {
  readonly context: RenderContext;
  readonly limits: RenderLimits;
  /** Whether `runtime.*`, `round`, `attempt` and idempotency keys are replaced by constants. */
  readonly stable: boolean;
  /** Output since the last {@link take}. */
  out = '';
  /** Receives the output until the next {@link take}. */
  tracker: OutputTracker | undefined;
  /** Items of the open sections, innermost last. */
  readonly items: Json[] = [];
  /** Names of the secrets that were read, without duplicates. */
  readonly secrets: string[] = [];
  /**
   * Whether data was written into a part of the URL that determines the host; set only where the compiler cannot tell.
   */
  authorityFromData = false;
  /** The completed nodes; set when a template first needs them. */
  steps?: StepsView;
  readonly #tooLarge: RunOptions['tooLarge'];
  #spent = 0;
  #bytes = 0;

  constructor(context: RenderContext, limits: RenderLimits, { stable, tooLarge }: RunOptions) {
    this.context = context;
    this.limits = limits;
    this.stable = stable;
    this.#tooLarge = tooLarge;
  }

  /** Steps spent so far. */
  get spent(): number {
    return this.#spent;
  }

  /** Bytes counted so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Charges `steps` steps. Throws a {@link RenderFault} when the limit is exceeded. */
  spend(steps: number): void {
    this.#spent += steps;
    if (this.#spent > this.limits.maxSteps) {
      throw new RenderFault(`The template takes more than ${String(this.limits.maxSteps)} steps.`);
    }
  }

  /**
   * Appends to the output; `bytes` is the UTF-8 length of the text. Throws a {@link RenderFault} when the limit is
   * exceeded.
   */
  write(text: string, bytes: number = utf8Length(text)): void {
    this.count(bytes);
    this.out += text;
    this.tracker?.see(text);
  }

  /**
   * Counts bytes of the request that are not written to this output. Throws a {@link RenderFault} when the limit is
   * exceeded.
   */
  count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.limits.maxBytes) throw new RenderFault(this.#tooLarge(this.limits.maxBytes));
  }

  /** Returns the output so far and starts a new one. The counters keep running. */
  take(): string {
    const text = this.out;
    this.out = '';
    this.tracker = undefined;
    return text;
  }

  /** Returns the value of a secret and records its name; undefined if it is not configured. */
  secret(name: string): string | undefined {
    if (!this.secrets.includes(name)) this.secrets.push(name);
    return this.context.secret(name);
  }
}
