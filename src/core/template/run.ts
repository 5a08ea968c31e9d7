/**
 * One rendering under way: the output so far, what bounds it, and the items of the sections that are open.
 */
import type { RenderContext } from '../context.ts';
import type { Json } from '../json.ts';

/** Bounds of one rendering. */
export interface RenderLimits {
  /** Most steps (tags, texts and section rounds) of one rendering. At least 1. */
  readonly maxSteps: number;
  /** Most UTF-16 code units that may be written. At least 1. */
  readonly maxChars: number;
}

/** The bounds that hold where a caller names none: 100 000 steps, 1 Mi code units. */
export const defaultRenderLimits: RenderLimits = { maxSteps: 100_000, maxChars: 1_048_576 };

/** Why nothing could be rendered; the message is a sentence that names the template path. Never leaves the core. */
export class RenderFault extends Error {
  override readonly name = 'RenderFault';
}

/** See the file header. Serves one rendering at a time; after a {@link RenderFault} it is to be dropped. */
export class Run {
  readonly context: RenderContext;
  readonly limits: RenderLimits;
  /** Whether `runtime.*`, `round`, `attempt` and idempotency keys are held constant. */
  readonly stable: boolean;
  /** What was written so far. */
  out = '';
  /** Items of the open sections, innermost last. */
  readonly items: Json[] = [];
  /** Names of the secrets that were read, each once. */
  readonly secrets: string[] = [];
  /** Whether a value from data was written where it decides about a URL's host, as only the rendering can tell. */
  authorityFromData = false;
  #steps = 0;

  constructor(context: RenderContext, limits: RenderLimits, stable: boolean) {
    this.context = context;
    this.limits = limits;
    this.stable = stable;
  }

  /** Counts `steps` steps. Throws a {@link RenderFault} beyond the limit. */
  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > this.limits.maxSteps) {
      throw new RenderFault(`The template takes more than ${String(this.limits.maxSteps)} steps.`);
    }
  }

  /** Appends to the output. Throws a {@link RenderFault} beyond the limit. */
  write(text: string): void {
    this.out += text;
    if (this.out.length > this.limits.maxChars) {
      throw new RenderFault(`The template renders more than ${String(this.limits.maxChars)} characters.`);
    }
  }

  /** The output so far, which begins anew. */
  take(): string {
    const text = this.out;
    this.out = '';
    return text;
  }

  /** The value of a secret, noting its name; undefined when it is not configured. */
  secret(name: string): string | undefined {
    if (!this.secrets.includes(name)) this.secrets.push(name);
    return this.context.secret(name);
  }
}
