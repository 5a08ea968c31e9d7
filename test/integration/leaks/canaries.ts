/**
 * Values that must not show, and finding them in whatever a system says. Each has a core of letters and digits, which no
 * encoder but base64 and hexadecimal changes, between characters that every encoder changes: a mask of only the
 * value as it is written leaves the core visible.
 */

/** What a value is, and so where it may stand. */
export type Kind =
  /** A secret of the configuration or of a caller: nowhere, but where templates need what a downstream echoed. */
  | 'secret'
  /** What a run was given or a downstream said: in the state and the history, and in nothing that tells of them. */
  | 'data';

/** One value. */
export interface Canary {
  readonly name: string;
  readonly kind: Kind;
  readonly value: string;
}

/** Where a value was found. */
export interface Find {
  readonly canary: Canary;
  /** The text around it. */
  readonly around: string;
}

interface Planted {
  readonly canary: Canary;
  /** In lower case. */
  readonly plain: readonly string[];
  readonly base64: readonly string[];
}

const contextLength = 60;

/** All values of one test. */
export class Canaries {
  readonly #planted: Planted[] = [];

  /** A new value: `shape` puts the core where it belongs; by default alone. */
  plant(name: string, kind: Kind = 'secret', shape: (core: string) => string = (core) => core): string {
    const core = `Cnry${String(this.#planted.length + 1).padStart(3, '0')}${name}Q`;
    const canary = { name, kind, value: shape(core) };
    this.#planted.push({ canary, plain: plainForms(core), base64: base64Forms(core) });
    return canary.value;
  }

  /** A value from elsewhere: all of it is the core. */
  adopt(name: string, value: string, kind: Kind = 'secret'): string {
    const canary = { name, kind, value };
    this.#planted.push({ canary, plain: plainForms(value), base64: base64Forms(value) });
    return value;
  }

  /** Which of these kinds stand in a text, however they are encoded there. */
  find(text: string, ...kinds: readonly Kind[]): readonly Find[] {
    const lower = text.toLowerCase();
    return this.#planted.flatMap(({ canary, plain, base64 }) => {
      if (!kinds.includes(canary.kind)) return [];
      const places = [...plain.map((form) => lower.indexOf(form)), ...base64.map((form) => text.indexOf(form))];
      const at = places.find((place) => place >= 0);
      if (at === undefined) return [];
      return [{ canary, around: text.slice(Math.max(0, at - contextLength), at + contextLength) }];
    });
  }
}

function plainForms(core: string): readonly string[] {
  return [core.toLowerCase(), Buffer.from(core).toString('hex')];
}

/** Base64 of the core at each of the three offsets within a longer text, without the characters that neighbours decide. */
function base64Forms(core: string): readonly string[] {
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.from(`${' '.repeat(offset)}${core}`).toString('base64');
    const begin = Math.ceil((offset * 8) / 6);
    const inner = encoded.slice(begin, Math.floor(((offset + core.length) * 8) / 6));
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')];
  });
}
