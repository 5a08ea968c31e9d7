/** A real server with real runs in every state that a page must show, and a downstream whose answers decide them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Downstream, startDownstream, startServer } from '../../test/e2e/trama-process.ts';

/** A definition and the payload of its run. */
type Story = (downstream: string) => {
  readonly definition: object;
  readonly payload?: object;
  readonly labels?: Readonly<Record<string, string>>;
};

const retryTwice = { type: 'retry', maxAttempts: 1, delayMillis: 20 };

/** A node of a definition that calls the downstream. */
function call(id: string, url: string, more: object = {}, action: object = { mode: 'sync' }): object {
  const request = { verb: 'POST', url, body: { order: '{{payload.order}}', card: '1234' } };
  return { kind: 'task', id, action: { ...action, request }, ...more };
}

/** The compensation of a node, and that of a step. */
const undo = (url: string): object => ({ compensation: { verb: 'DELETE', url } });
const down = (url: string): object => ({ down: { verb: 'DELETE', url } });

/** The runs of the stage, by what they show. */
export const stories = {
  success: (at) => ({
    definition: {
      name: 'order-fulfilment',
      version: '7',
      steps: [
        {
          name: 'reserve',
          up: { verb: 'POST', url: `${at}/ok`, body: { amount: 12345678901234567890n.toString() } },
          ...down(`${at}/ok`),
        },
        { name: 'charge', up: { verb: 'POST', url: `${at}/numbers` }, ...down(`${at}/ok`) },
        { name: 'ship', up: { verb: 'PUT', url: `${at}/ok` } },
      ],
    },
    payload: { order: 'o-1' },
    labels: { tenant: 'alpine' },
  }),
  compensated: (at) => ({
    definition: {
      name: 'travel-booking',
      version: '2',
      failureHandling: retryTwice,
      steps: [
        { name: 'flight', up: { verb: 'PUT', url: `${at}/ok` }, ...down(`${at}/ok`) },
        { name: 'hotel', up: { verb: 'PUT', url: `${at}/ok` }, ...down(`${at}/ok`) },
        { name: 'charge', up: { verb: 'POST', url: `${at}/refuse`, body: { amount: 1284 } } },
      ],
    },
    labels: { tenant: 'alpine', trip: 'T-2048' },
  }),
  corrupted: (at) => ({
    definition: {
      name: 'travel-booking',
      version: '3',
      failureHandling: retryTwice,
      compensationHandling: retryTwice,
      entrypoint: 'quote',
      nodes: [
        call('quote', `${at}/ok`, { next: 'reserve' }),
        { kind: 'split', id: 'reserve', branches: ['flight', 'hotel'], join: 'reserved' },
        call('flight', `${at}/ok`, { ...undo(`${at}/ok`), next: 'reserved' }),
        call('hotel', `${at}/ok`, { ...undo(`${at}/ok`), next: 'reserved' }),
        { kind: 'join', id: 'reserved', next: 'pay-by' },
        {
          kind: 'switch',
          id: 'pay-by',
          cases: [{ name: 'card', when: { '==': [{ var: 'payload.by' }, 'card'] }, target: 'charge' }],
          default: 'invoice',
        },
        call('charge', `${at}/cut`, { ...undo(`${at}/broken`), next: 'confirm' }),
        call('invoice', `${at}/ok`, { next: 'confirm' }),
        call('confirm', `${at}/ok`),
      ],
    },
    payload: { by: 'card', order: 'T-2048' },
    labels: { tenant: 'alpine', trip: 'T-2048' },
  }),
  sleeping: (at) => ({
    definition: {
      name: 'subscription-renewal',
      version: '1',
      entrypoint: 'wait',
      nodes: [{ kind: 'sleep', id: 'wait', duration: 'P3D', next: 'charge' }, call('charge', `${at}/ok`)],
    },
  }),
  waiting: (at) => ({
    definition: {
      name: 'purchase-approval',
      version: '1',
      entrypoint: 'ask',
      nodes: [call('ask', `${at}/accept`, undo(`${at}/ok`), { mode: 'async', callback: { timeoutMillis: 3_600_000 } })],
    },
    payload: { order: 'o-9' },
  }),
  branches: (at) => ({
    definition: {
      name: 'two-approvals',
      version: '1',
      entrypoint: 'both',
      nodes: [
        { kind: 'split', id: 'both', branches: ['first', 'second'], join: 'joined' },
        ...['first', 'second'].map((id) =>
          call(
            id,
            `${at}/accept`,
            { ...undo(`${at}/ok`), next: id === 'first' ? 'more' : 'joined' },
            { mode: 'async', callback: { timeoutMillis: 3_600_000 } },
          ),
        ),
        call('more', `${at}/ok`, { ...undo(`${at}/ok`), next: 'joined' }),
        { kind: 'join', id: 'joined' },
      ],
    },
  }),
  backoff: (at) => ({
    definition: {
      name: 'customer-refund',
      version: '2',
      failureHandling: { type: 'retry', maxAttempts: 5, retryOn: { statusCodes: ['5xx'] }, delayMillis: 600_000 },
      steps: [
        { name: 'book', up: { verb: 'POST', url: `${at}/ok` }, ...down(`${at}/ok`) },
        { name: 'pay-out', up: { verb: 'PUT', url: `${at}/busy` }, ...down(`${at}/ok`) },
      ],
    },
  }),
  items: (at) => ({
    definition: {
      name: 'payout-batch',
      version: '1',
      entrypoint: 'each',
      nodes: [
        { kind: 'forEach', id: 'each', items: '{{payload.accounts}}', entry: 'pay', maxConcurrency: 2, next: 'report' },
        call('pay', `${at}/ok`, undo(`${at}/ok`)),
        call('report', `${at}/ok`),
      ],
    },
    payload: { order: 'batch', accounts: ['a', 'b', 'c', 'd'] },
  }),
  family: () => ({
    definition: {
      name: 'order-with-shipping',
      version: '1',
      entrypoint: 'ship',
      nodes: [{ kind: 'workflow', id: 'ship', definition: { name: 'shipping', version: 'latest' } }],
    },
  }),
  blocked: (at) => ({
    definition: {
      name: 'held-payout',
      version: '1',
      steps: [
        { name: 'book', up: { verb: 'POST', url: `${at}/ok` }, ...down(`${at}/ok`) },
        { name: 'pay-out', up: { verb: 'PUT', url: `${held(at)}/ok` }, ...down(`${at}/ok`) },
      ],
    },
  }),
} satisfies Readonly<Record<string, Story>>;

/** The same downstream under another name, which the stage holds. */
const held = (at: string): string => at.replace('127.0.0.1', 'localhost');

/** What the downstream answers, by path. */
function answer(path: string, response: Parameters<Parameters<typeof startDownstream>[0]>[1]): void {
  switch (path) {
    case '/refuse':
      response.writeHead(422).end('{"code":"limit_exceeded","limit":100.10}');
      return;
    case '/broken':
      response.writeHead(500).end('{"code":"ledger_locked"}');
      return;
    case '/busy':
      response.writeHead(503).end('{"code":"busy"}');
      return;
    case '/accept':
      response.writeHead(202).end('{}');
      return;
    case '/cut':
      response.destroy();
      return;
    case '/numbers':
      response.end('{"account":12345678901234567890,"amount":1284.00}');
      return;
    default:
      response.end('{"ok":true}');
  }
}

/** A server with the stories under way. */
export interface Stage {
  readonly url: string;
  readonly downstream: Downstream;
  /** Ids of the runs, by their story. */
  readonly ids: Readonly<Record<keyof typeof stories, string>>;
  /** Asks the API; throws where the answer is an error. */
  ask(method: string, path: string, body?: object): Promise<Answered>;
  /** Starts a run and answers its id. */
  start(run: ReturnType<Story>): Promise<string>;
  /** Waits until a run has one of these statuses. */
  until(id: string, ...statuses: string[]): Promise<Answered>;
  close(): Promise<void>;
}

/** A JSON document, read without a schema. */
type Answered = ReturnType<typeof JSON.parse>;

const pollMillis = 20;

/** Starts everything, and waits until each story is where it is to be seen. `apiKey`: what the server asks for. */
export async function startStage(args: readonly string[] = [], apiKey?: string): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'trama-ui-'));
  const downstream = await startDownstream(({ path }, response) => {
    answer(path, response);
  });
  const server = await startServer(directory, args);
  const ask = async (method: string, path: string, body?: object): Promise<Answered> => {
    const response = await fetch(server.url + path, {
      method,
      headers: {
        ...(apiKey !== undefined && { 'x-api-key': apiKey }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${String(response.status)} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  const start = async (run: ReturnType<Story>): Promise<string> => (await ask('POST', '/workflows/run', run)).id;
  const until = async (id: string, ...statuses: string[]): Promise<Answered> => {
    for (;;) {
      const run = await ask('GET', `/workflows/${id}`);
      if (statuses.includes(run.status)) return run;
      await new Promise((resolve) => setTimeout(resolve, pollMillis));
    }
  };
  const shipping = {
    name: 'shipping',
    version: '1',
    steps: [{ name: 'parcel', up: { verb: 'PUT', url: `${downstream.url}/ok` } }],
  };
  await ask('POST', '/workflows/definitions', shipping);
  await ask('PUT', '/holds/bank', { host: 'localhost', reason: 'Bank maintenance until six.' });
  const untilAt = async (id: string, nodeId: string, states: readonly string[]): Promise<void> => {
    for (;;) {
      const { currentNodes } = await ask('GET', `/workflows/${id}`);
      if (currentNodes.some((at: Answered) => at.nodeId === nodeId && states.includes(at.state))) return;
      await new Promise((resolve) => setTimeout(resolve, pollMillis));
    }
  };
  const started = await Promise.all(
    Object.entries(stories).map(async ([name, story]) => [name, await start(story(downstream.url))] as const),
  );
  const ids = Object.fromEntries(started) as Stage['ids'];
  await Promise.all([
    until(ids.success, 'SUCCEEDED'),
    until(ids.compensated, 'FAILED'),
    until(ids.corrupted, 'CORRUPTED'),
    until(ids.sleeping, 'SLEEPING'),
    until(ids.waiting, 'WAITING_CALLBACK'),
    until(ids.branches, 'WAITING_CALLBACK'),
    until(ids.items, 'SUCCEEDED'),
    until(ids.family, 'SUCCEEDED'),
    ...[ids.backoff, ids.blocked].map((id) => untilAt(id, 'pay-out', ['BACKOFF', 'BLOCKED'])),
  ]);
  return {
    url: server.url,
    downstream,
    ids,
    ask,
    start,
    until,
    close: async () => {
      server.child.kill('SIGKILL');
      await server.ended;
      await downstream.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
