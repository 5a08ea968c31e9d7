import { type Downstream, startDownstream } from '../../e2e/trama-process.ts';

/** The issuer of tokens: the keys of those of callers, and an endpoint that gives calls new ones. */
export class ScriptedTokens {
  readonly #plant: (name: string, shape: (core: string) => string) => string;
  #server: Downstream | undefined;
  /** The document of keys. */
  keys = '{}';
  /** Tokens given so far. */
  readonly given: string[] = [];

  /** `plant` makes the tokens. */
  constructor(plant: (name: string, shape: (core: string) => string) => string) {
    this.#plant = plant;
  }

  async open(): Promise<void> {
    this.#server = await startDownstream(({ path, headers, body }, response) => {
      if (path === '/keys') response.end(this.keys);
      else if (path === '/token') response.end(this.#token());
      else response.writeHead(401).end(JSON.stringify({ error: 'invalid_client', path, headers, body }));
    });
  }

  get url(): string {
    return this.#server?.url ?? '';
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  #token(): string {
    const token = this.#plant('Token', (core) => `~+/${core}/+=`);
    this.given.push(token);
    return JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 3600 });
  }
}
