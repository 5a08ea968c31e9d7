/**
 * One rendering under way: the output so far, what bounds it, and the items of the sections that are open.
 */
import type { RenderContext } from '../context/context.ts';
import type { Json } from '../value/json.ts';
import type { StepsView } from './path.ts';

/** Bounds of one rendering: of a template that stands by itself, or of all templates of a request together. */
export interface RenderLimits {
  /** Most steps (tags, texts, section rounds, completed nodes looked up). At least 1. */
  readonly maxSteps: number;
  /** Most bytes that may be written, as UTF-8. At least 1. */
  readonly maxBytes: number;
}

/** The bounds that hold where a caller names none: 100 000 steps, 1 MiB. */
export const defaultRenderLimits: RenderLimits = { maxSteps: 100_000, maxBytes: 1_048_576 };

/** Why nothing could be rendered; the message is a sentence that names the template path. Never leaves the core. */
export class RenderFault extends Error {
  override readonly name = 'RenderFault';
}

/** Sees all that is written, in order. */
export interface OutputTracker {
  see(text: string): void;
}

/** How a {@link Run} holds constant what differs between equal calls, and how it speaks of what is too large. */
export interface RunOptions {
  /** Whether `runtime.*`, `round`, `attempt` and idempotency keys are held constant. */
  readonly stable: boolean;
  /** Says in a sentence that more than this many bytes would be written. */
  readonly tooLarge: (maxBytes: number) => string;
}

/** A template that stands by itself. */
export const ofTemplate: RunOptions = {
  stable: false,
  tooLarge: (maxBytes) => `The template renders more than ${String(maxBytes)} bytes.`,
};

/**
 * One rendering under way. Its bounds hold over everything that is written into it, whatever is taken out in between: a
 * request is one rendering. Serves one at a time; after a {@link RenderFault} it is to be dropped.
 */
export class Run {
  readonly context: RenderContext;
  readonly limits: RenderLimits;
  /** Whether `runtime.*`, `round`, `attempt` and idempotency keys are held constant. */
  readonly stable: boolean;
  /** What was written since it was last taken. */
  out = '';
  /** Sees what is written until it is taken. */
  tracker: OutputTracker | undefined;
  /** Items of the open sections, innermost last. */
  readonly items: Json[] = [];
  /** Names of the secrets that were read, each once. */
  readonly secrets: string[] = [];
  /** Whether a value from data was written where it decides about a URL's host, as only the rendering can tell. */
  authorityFromData = false;
  /** The completed nodes, once a template has asked for them. */
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

  /** Counts `steps` steps. Throws a {@link RenderFault} beyond the limit. */
  spend(steps: number): void {
    this.#spent += steps;
    if (this.#spent > this.limits.maxSteps) {
      throw new RenderFault(`The template takes more than ${String(this.limits.maxSteps)} steps.`);
    }
  }

  /** Appends to the output; `bytes` is the length of the text as UTF-8. Throws a {@link RenderFault} beyond the limit. */
  write(text: string, bytes: number = utf8Length(text)): void {
    this.count(bytes);
    this.out += text;
    this.tracker?.see(text);
  }

  /** Counts bytes that are a part of what is rendered and not written here. Throws a {@link RenderFault} beyond the limit. */
  count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.limits.maxBytes) throw new RenderFault(this.#tooLarge(this.limits.maxBytes));
  }

  /** The output so far, which begins anew; what it has cost stays counted. */
  take(): string {
    const text = this.out;
    this.out = '';
    this.tracker = undefined;
    return text;
  }

  /** The value of a secret, noting its name; undefined when it is not configured. */
  secret(name: string): string | undefined {
    if (!this.secrets.includes(name)) this.secrets.push(name);
    return this.context.secret(name);
  }
}

/** Bytes of a text as UTF-8; half a surrogate pair counts as half a pair. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    // Each half of a surrogate pair is two of the four bytes of its character.
    bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}
