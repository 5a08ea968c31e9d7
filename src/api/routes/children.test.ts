import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture, response } from '../../../test/api-fixture.ts';
import { idOf } from '../../../test/contract/fixtures/executions.ts';
import { apiKeyOf, authenticatorOf } from '../../../test/credentials.ts';
import type { ParentLink } from '../../core/context/family.ts';

const task = (id: string, more: object = {}): object => ({
  kind: 'task',
  id,
  action: { mode: 'sync', request: { url: `http://shop.example/${id}`, verb: 'POST' } },
  ...more,
});

/** Two calls, of which the first one can be undone. The tests start children themselves, in place of the node. */
const definitionOf = (name: string): object => ({
  name,
  version: '1',
  failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
  entrypoint: 'which',
  nodes: [
    { kind: 'switch', id: 'which', cases: [{ when: { var: 'payload.ship' }, target: 'ship' }], default: 'sum' },
    { kind: 'workflow', id: 'ship', definition: { name: 'shipping', version: 'latest' } },
    task('sum', { compensation: { url: 'http://shop.example/undo', verb: 'POST' }, next: 'last' }),
    task('last', { uncompensated: true }),
  ],
});

let api: ApiFixture;
beforeEach(async () => {
  const authenticator = authenticatorOf({
    admin: ['admin'],
    limited: { roles: ['admin'], definitions: ['ship*'] },
    other: { roles: ['admin'], definitions: ['order', 'pay'] },
  });
  api = await new ApiFixture({ authenticator }).open();
  let minted = 0;
  api.mintId = () => idOf(++minted);
});
afterEach(() => api.close());

const ask = async (method: 'GET' | 'POST', url: string, payload?: object, caller = 'admin') =>
  api.server.inject({
    method,
    url,
    headers: { 'x-api-key': apiKeyOf(caller) },
    ...(payload !== undefined && { payload }),
  });

/** Starts a run, and makes it the child of another one where `parent` is given. */
async function start(name: string, parent?: ParentLink & { readonly root: string; readonly depth: number }) {
  const { root, depth, ...link } = parent ?? { root: '', depth: 0 };
  api.family = parent === undefined ? {} : { parent: link as ParentLink, root, depth };
  const answer = await ask('POST', '/workflows/run', { definition: definitionOf(name), payload: {} });
  if (answer.statusCode !== 200) throw new Error(answer.body);
  const { id } = answer.json();
  api.family = {};
  api.now += 1000;
  return id as string;
}

const linkTo = (id: string, visit: number, root = id) => ({
  id,
  round: 1,
  nodeId: 'ship',
  visit,
  root,
  depth: root === id ? 2 : 3,
});

describe('an execution that another one started', () => {
  let parent: string;
  let ship: string;
  let pay: string;
  let box: string;

  beforeEach(async () => {
    parent = await start('order');
    ship = await start('shipping', { ...linkTo(parent, 1), item: [3, 0] });
    pay = await start('pay', linkTo(parent, 2));
    box = await start('ship-box', linkTo(ship, 1, parent));
    await api.drive(pay, () => response(400));
  });

  it('names who started it, and its root', async () => {
    const document = (await ask('GET', `/workflows/${ship}`)).json();
    expect(document).toMatchObject({
      parent: { id: parent, round: 1, nodeId: 'ship', visit: 1, item: [3, 0] },
      root: parent,
      children: { count: 1, running: 1, corrupted: 0, first: [{ id: box, name: 'ship-box' }] },
    });
    expect((await ask('GET', `/workflows/${box}`)).json()).toMatchObject({ parent: { id: ship }, root: parent });
    const root = (await ask('GET', `/workflows/${parent}`)).json();
    for (const field of ['parent', 'root']) expect(root).not.toHaveProperty(field);
  });

  it('is among the children of that one, in the status document and in pages', async () => {
    const { children } = (await ask('GET', `/workflows/${parent}`)).json();
    expect(children).toEqual({
      count: 2,
      running: 1,
      corrupted: 0,
      first: [
        {
          id: ship,
          round: 1,
          nodeId: 'ship',
          visit: 1,
          item: [3, 0],
          name: 'shipping',
          version: '1',
          status: 'IN_PROGRESS',
          startedAt: '2030-01-01T00:00:01.000Z',
        },
        {
          id: pay,
          round: 1,
          nodeId: 'ship',
          visit: 2,
          name: 'pay',
          version: '1',
          status: 'FAILED',
          startedAt: '2030-01-01T00:00:02.000Z',
          completedAt: '2030-01-01T00:00:04.000Z',
        },
      ],
    });
    const first = await ask('GET', `/workflows/${parent}/children?limit=1`);
    expect(first.json()).toEqual([children.first[0]]);
    const second = await ask(
      'GET',
      `/sagas/${parent}/children?limit=1&cursor=${String(first.headers['x-next-cursor'])}`,
    );
    expect(second.json()).toEqual([children.first[1]]);
    expect(second.headers['x-next-cursor']).toBeUndefined();
    expect((await ask('GET', `/workflows/${box}/children`)).json()).toEqual([]);
    expect((await ask('GET', `/workflows/${parent}/children?cursor=x`)).json().code).toBe('invalid_cursor');
    const unknown = await ask('GET', '/workflows/0190a5a0-0000-7000-8000-000000000000/children');
    expect([unknown.statusCode, unknown.json().code]).toEqual([404, 'unknown_execution']);
  });

  it('is found by its parent, and left out among roots', async () => {
    const idsOf = async (query: string, caller?: string): Promise<readonly string[]> =>
      (await ask('GET', `/workflows?${query}`, undefined, caller)).json().map(({ id }: { id: string }) => id);
    expect(await idsOf(`parent=${parent.toUpperCase()}&order=asc`)).toEqual([ship, pay]);
    expect(await idsOf(`parent=${parent}&status=FAILED`)).toEqual([pay]);
    expect(await idsOf('root=true')).toEqual([parent]);
    expect(await idsOf('root=false&status=FAILED')).toEqual([pay]);
    expect((await ask('GET', '/workflows?parent=mine')).statusCode).toBe(400);
    expect((await ask('GET', '/workflows?root=yes')).statusCode).toBe(400);
  });

  it('is retried with its parent, unless it is CORRUPTED', async () => {
    expect((await ask('GET', `/workflows/${pay}`)).json().retryable).toBe(false);
    const refused = await ask('POST', `/workflows/${pay}/retry`, {});
    expect([refused.statusCode, refused.json().code]).toEqual([409, 'state_conflict']);
    expect(refused.json().errors[0]).toContain(`was started by the execution ${parent}`);
    expect((await ask('GET', `/workflows/${pay}/retry-preview`)).statusCode).toBe(409);
    expect((await ask('POST', `/workflows/${pay}/retry`, { force: true })).statusCode).toBe(409);
    // Its compensation is given up.
    for (let i = 0; i < 50 && (await api.stateOf(ship)).end === undefined; i++) {
      await api.drive(ship, ({ nodeId, phase }) => response(nodeId === 'last' || phase === 'DOWN' ? 400 : 200));
      api.now += 3_600_000;
    }
    expect((await ask('GET', `/workflows/${ship}`)).json()).toMatchObject({ status: 'CORRUPTED', retryable: true });
    expect((await ask('POST', `/workflows/${ship}/retry`, {})).statusCode).toBe(202);
  });

  it('is undone by itself once its root is over', async () => {
    await api.drive(ship);
    const undo = async (): Promise<readonly unknown[]> => {
      const answer = await ask('POST', `/workflows/${ship}/undo`, { reason: 'wrong address' });
      return [answer.statusCode, answer.json().errors?.[0] ?? answer.json().status];
    };
    expect(await undo()).toEqual([409, expect.stringContaining(`belongs to the execution ${parent}`)]);
    expect((await ask('GET', `/workflows/${ship}`)).json().status).toBe('SUCCEEDED');
    await api.drive(parent);
    expect(await undo()).toEqual([202, 'UNDOING']);
    expect((await ask('GET', `/workflows/${ship}`)).json().status).toBe('COMPENSATING');
  });

  it('is among the errors of a retry of many', async () => {
    const lone = await start('order');
    await api.drive(lone, () => response(400));
    const filter = { status: ['FAILED'] };
    const answer = (await ask('POST', '/workflows/bulk', { action: 'retry', filter, dryRun: false })).json();
    expect(answer).toMatchObject({ matched: 2, done: 1, ids: [lone], errors: [{ id: pay, code: 'state_conflict' }] });
  });

  it('takes cancel, terminate and wake like any other', async () => {
    expect((await ask('POST', `/workflows/${ship}/cancel`, {})).statusCode).toBe(202);
    expect((await ask('POST', `/workflows/${box}/terminate`, {})).statusCode).toBe(202);
  });

  it('shows of its family what a limited caller may read', async () => {
    const child = (await ask('GET', `/workflows/${ship}`, undefined, 'limited')).json();
    expect(child).toMatchObject({ id: ship, children: { count: 1, first: [{ id: box }] } });
    for (const field of ['parent', 'root']) expect(child).not.toHaveProperty(field);
    const grandchild = (await ask('GET', `/workflows/${box}`, undefined, 'limited')).json();
    expect(grandchild.parent).toMatchObject({ id: ship });
    expect(grandchild).not.toHaveProperty('root');
    const root = (await ask('GET', `/workflows/${parent}`, undefined, 'other')).json();
    expect(root.children).toMatchObject({ count: 1, running: 0, first: [{ id: pay }] });
    expect((await ask('GET', `/workflows/${parent}/children`, undefined, 'other')).json()).toMatchObject([{ id: pay }]);
    expect((await ask('GET', `/workflows/${parent}/children`, undefined, 'limited')).statusCode).toBe(404);
    expect((await ask('GET', `/workflows?parent=${parent}`, undefined, 'limited')).json()).toEqual([]);
    const refused = await ask('POST', `/workflows/${ship}/retry`, { force: true }, 'limited');
    expect(JSON.stringify(refused.json())).not.toContain(parent);
  });
});
