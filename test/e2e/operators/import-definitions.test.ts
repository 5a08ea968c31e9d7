/** Definitions of existing Trama, played by a server with its lists, come over to a real one. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openStage } from '../stage/stage.ts';
import { startTrama, trama, type Ended } from '../trama-process.ts';

const stage = openStage();
const other = openStage();

const key = 'the-key-of-the-source';

interface Answer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

let source: Server | undefined;
let asked: string[] = [];

afterEach(async () => {
  source?.closeAllConnections();
  await new Promise<unknown>((resolve) => (source === undefined ? resolve(undefined) : source.close(resolve)));
  source = undefined;
  asked = [];
});

/** Starts a source that answers as it is told, to callers with its key. */
async function open(answer: (url: URL, request: IncomingMessage) => Answer): Promise<string> {
  source = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://source');
    asked.push(`${url.pathname}${url.search}`);
    const { status, body, headers } = answer(url, request);
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  });
  await new Promise<void>((resolve) => source?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${String((source.address() as AddressInfo).port)}`;
}

const listed = (records: readonly object[]): Answer => ({ status: 200, body: JSON.stringify(records) });

const linear = (name: string, version: string, more: object = {}): object => ({
  name,
  version,
  steps: [{ name: 'a', up: { url: 'http://a.example/', verb: 'GET' } }],
  ...more,
});

const uuid = (n: number): string => `6f9619ff-8b86-4d01-b42d-00cf4fc964${n.toString(16).padStart(2, '0')}`;
const at = (minute: number): string => `2026-01-01T00:${String(minute).padStart(2, '0')}:00Z`;

function importing(from: string, ...args: readonly string[]): Promise<Ended> {
  return trama(['import-definitions', '--from', from, ...args], { TRAMA_URL: stage.url });
}

const results = ({ out }: Ended): [string, string][] =>
  (JSON.parse(out) as { definitions: { name: string; version: string; result: string }[] }).definitions.map(
    ({ name, version, result }) => [`${name} ${version}`, result],
  );

describe('trama import-definitions', () => {
  it('copies all of them under their ids, the oldest first, and leaves alone what is there', async () => {
    const records = [
      { id: uuid(3), name: 'moved', version: '1.10', definition: linear('moved', '1.10'), createdAt: at(30) },
      { id: uuid(1), name: 'moved', version: '1.9', definition: linear('moved', '1.9'), createdAt: at(10) },
      { id: uuid(2), name: 'moved', version: '1.11', definition: linear('moved', '1.11'), createdAt: at(20) },
    ];
    // Pages of two; ours has cursors, existing Trama offsets.
    const from = await open((url) => {
      const offset = Number(url.searchParams.get('offset') ?? 0);
      return listed(records.slice(offset, offset + 2));
    });
    const dry = await importing(from, '--dry-run');
    expect([dry.code, dry.notes]).toEqual([0, '']);
    expect(dry.out).toMatch(/^moved 1\.9: would be imported\n/);
    expect(dry.out).toContain('3 definitions: 3 would be imported, 0 exist already, 0 differ, 0 not valid.');
    expect((await stage.ask('GET', `/workflows/definitions/${uuid(1)}`)).status).toBe(404);

    const first = await importing(from);
    expect([first.code, first.notes]).toEqual([0, '']);
    expect(first.out.split('\n').slice(0, 3)).toEqual([
      'moved 1.9: imported',
      'moved 1.11: imported',
      'moved 1.10: imported',
    ]);
    const { body } = await stage.ask('GET', `/workflows/definitions/${uuid(2)}`);
    expect(body).toMatchObject({ id: uuid(2), name: 'moved', version: '1.11', definition: linear('moved', '1.11') });
    const latest = await stage.ask('GET', '/workflows/definitions/moved/latest');
    expect(latest.body.version).toBe('1.10');

    const again = await importing(from, '--json');
    expect(again.code).toBe(0);
    expect(results(again).map(([, result]) => result)).toEqual(['exists', 'exists', 'exists']);
  });

  it('reports one by one what is not valid here, or is another one here, and brings the rest', async () => {
    await stage.ask('POST', '/workflows/definitions', linear('mixed', '1'));
    await stage.ask('PUT', `/workflows/definitions/${uuid(13)}`, linear('taken', '1'));
    const from = await open((url) =>
      url.searchParams.has('offset')
        ? listed([])
        : listed([
            { id: uuid(10), name: 'mixed', version: '1', definition: linear('mixed', '1', { labels: { a: 'b' } }) },
            { id: uuid(11), name: 'mixed', version: '2', definition: linear('mixed', '2', { retries: 3, colour: 1 }) },
            { id: 'not-a-uuid', name: 'mixed', version: '3', definition: JSON.stringify(linear('mixed', '3')) },
            { id: uuid(12), name: 'mixed', version: '4' },
            { id: uuid(13), name: 'mixed', version: '5', definition: linear('mixed', '5') },
            { id: uuid(14), name: 'mixed', version: '6', definition: linear('mixed', '6') },
          ]),
    );
    const { code, out } = await importing(from);
    expect(code).toBe(1);
    expect(out).toContain(
      'mixed 1: differs from what is stored here\n  - Another definition is stored here under this name',
    );
    expect(out).toMatch(/mixed 2: is not valid here\n {2}- retries: .*\n {2}- colour: .*\n/);
    expect(out).toContain('mixed 3: imported');
    expect(out).toContain(
      'mixed 4: is not valid here\n  - definition: The other server returns this record without a definition',
    );
    expect(out).toContain(`mixed 5: differs from what is stored here\n  - Another definition has the id ${uuid(13)}`);
    expect(out).toContain('mixed 6: imported');
    expect(out).toContain('6 definitions: 2 imported, 0 exist already, 2 differ, 2 not valid.');
    // Each record without a definition is asked for by its id.
    expect(asked).toContain(`/workflows/definitions/${uuid(12)}`);
    const dry = await importing(from, '--dry-run', '--json');
    expect([dry.code, results(dry).map(([, result]) => result)]).toEqual([
      1,
      ['differs', 'invalid', 'exists', 'invalid', 'differs', 'exists'],
    ]);
  });

  it.each([
    [
      403,
      1,
      'out',
      'refused 1: is refused here\n  - No.\n1 definition: 0 imported, 0 exist already, 0 differ, 0 not valid, 1 refused.',
    ],
    [503, 2, 'notes', 'No.\nrefused 1: the import stops here, after 0 definitions; run it again to go on.'],
  ] as const)(
    'tells what is refused of one definition from what is wrong with the server: %s',
    async (status, code, stream, said) => {
      const refuses = { errors: ['No.'], code: 'x', requestId: 'r' };
      const both = await open((url, { method }) => {
        if (url.pathname !== '/workflows/definitions') {
          return { status: method === 'GET' ? 404 : status, body: JSON.stringify(refuses) };
        }
        return listed(url.searchParams.has('offset') ? [] : [{ id: uuid(40), definition: linear('refused', '1') }]);
      });
      const ended = await trama(['import-definitions', '--from', both, '--url', both]);
      expect(ended.code).toBe(code);
      expect(ended[stream]).toContain(said);
    },
  );

  it('brings nothing that the other server shows masked', async () => {
    const shown = (hash: string): object => ({
      id: uuid(30),
      name: 'masked',
      version: '1',
      hash,
      definition: linear('masked', '1', { description: 'The key is ***.' }),
    });
    const record = shown('the hash of what is stored there');
    const from = await open((url) => listed(url.searchParams.has('offset') ? [] : [record]));
    const { code, out } = await importing(from);
    expect(code).toBe(1);
    expect(out).toContain('masked 1: is not valid here\n  - definition: The other server masks a secret');
    expect((await stage.ask('GET', `/workflows/definitions/${uuid(30)}`)).status).toBe(404);
  });

  it('keeps the digits of numbers', async () => {
    const definition = JSON.stringify(linear('digits', '1')).replace(
      '"GET"',
      '"PUT","body":{"n":9007199254740993,"m":1.50}',
    );
    const from = await open(() => ({
      status: 200,
      body: `[{"id":"${uuid(20)}","name":"digits","version":"1","definition":${definition}}]`,
    }));
    expect((await importing(from)).code).toBe(0);
    const { text } = await stage.ask('GET', `/workflows/definitions/${uuid(20)}`);
    expect(text).toContain('{"n":9007199254740993,"m":1.50}');
    // A source that pays no heed to the offset gives the same page again.
    expect(asked).toEqual(['/workflows/definitions', '/workflows/definitions?offset=1']);
  });

  it('reads with the key of the source, from an option or the environment', async () => {
    const from = await open((_url, { headers }) =>
      headers.authorization === `Bearer ${key}`
        ? { status: 204 }
        : { status: 401, body: JSON.stringify({ errors: ['Who are you?'], code: 'unauthenticated', requestId: 'r' }) },
    );
    const refused = await importing(from);
    expect([refused.code, refused.notes]).toEqual([2, `${from} refuses to be read (401):\nWho are you?\n`]);
    const none = await importing(from, '--from-api-key', key);
    expect([none.code, none.out]).toEqual([0, '0 definitions: 0 imported, 0 exist already, 0 differ, 0 not valid.\n']);
    const env = { TRAMA_URL: stage.url, TRAMA_FROM_API_KEY: key };
    expect((await trama(['import-definitions', '--from', from], env)).code).toBe(0);
  });

  it('copies from a Trama like this one, pages and all', async () => {
    for (let i = 0; i < 60; i++) await other.ask('POST', '/workflows/definitions', linear('many', String(i)));
    const { code, out } = await importing(other.url);
    expect(code).toBe(0);
    expect(out).toContain('60 definitions: 60 imported');
    const { body } = await stage.ask('GET', '/workflows/definitions/many/latest');
    expect(body.version).toBe('59');
  });

  it.each([
    ['no --from', [], /--from <url>/],
    ['no URL', ['--from', 'there'], /--from must be an http or https URL, not there\./],
    ['a password in it', ['--from', 'http://me:pass@there'], /--from must contain no user info/],
    ['no server there', ['--from', 'http://127.0.0.1:1'], /127\.0\.0\.1:1 cannot be reached/],
  ])('is used wrongly with %s', async (_what, args, sentence) => {
    const { code, notes } = await trama(['import-definitions', ...args], { TRAMA_URL: stage.url });
    expect(code).toBe(2);
    expect(notes).toMatch(sentence);
    expect(notes).not.toContain('pass@');
  });

  it('says what is wrong with an answer that is no list, and how far it came when the server goes away', async () => {
    const odd = await open(() => ({ status: 200, body: '{"definitions":[]}' }));
    expect(await importing(odd)).toMatchObject({
      code: 2,
      notes: `${odd}/workflows/definitions gave no list of definitions.\n`,
    });
    const gone = startTrama(['import-definitions', '--from', other.url], { TRAMA_URL: 'http://127.0.0.1:1' });
    const { code, notes } = await gone.ended;
    expect(code).toBe(2);
    expect(notes).toContain('cannot be reached');
    expect(notes).toContain('many 0: the import stops here, after 0 definitions; run it again to go on.');
  });
});
