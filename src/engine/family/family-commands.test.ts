import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../simulator/virtual-clock.ts';
import type { Run } from '../../core/apply.ts';
import type { Event } from '../../core/event.ts';
import type { TakeBack } from '../../core/family/child-run.ts';
import { StoreUnavailable } from '../../ports/store.ts';
import type { Family, FamilyAnswer } from './family.ts';
import { type FamilyCommand, FamilyCommands } from './family-commands.ts';

type Answer = (answer: FamilyAnswer) => void;

/** What the family was asked for, with the way to answer. */
interface Asked {
  readonly what: string;
  readonly answer: Answer;
  readonly refuse: (error: Error) => void;
}

const startChild = (childId: string): FamilyCommand => ({ type: 'startChild', tokenId: 1, childId });
const takeBack: FamilyCommand = { type: 'takeBack', tokenId: 1, childId: 'c1' };
const ended = (childId: string): Event => ({
  type: 'childEnded',
  childId,
  end: 1,
  status: 'SUCCEEDED',
  visits: 1,
  standing: true,
});

describe('commands about children', () => {
  let asked: Asked[];
  let posted: Event[];
  let stage: unknown;
  let isDisplaced: boolean;
  let clock: VirtualClock;
  let commands: FamilyCommands;

  const starting = (id: string): void => {
    stage = { kind: 'child', part: 'starting', since: 0, child: { visit: 1, id, startOrd: 1 } };
  };
  const takingBack = (child: TakeBack): void => {
    stage = { kind: 'unwinding', since: 0, goal: { kind: 'end' }, troubles: 0, undo: { child } };
  };

  beforeEach(() => {
    asked = [];
    posted = [];
    isDisplaced = false;
    clock = new VirtualClock();
    const ask = (what: string): Promise<FamilyAnswer> =>
      new Promise((answer, refuse) => {
        asked.push({ what, answer, refuse });
      });
    const family = {
      start: (_run: Run, token: { stage: { child: { id: string } } }) => ask(`start ${token.stage.child.id}`),
      takeBack: (_run: Run, { id, after }: TakeBack) => ask(`take back ${id} after ${String(after)}`),
    } as unknown as Family;
    const host = {
      get run(): Run {
        return { state: { tokens: [{ id: 1, scope: '', nodeId: 'w', stage }] } } as unknown as Run;
      },
      lease: { claim: 'p' },
      mayCall: () => 'granted' as const,
      post: (event: Event) => void posted.push(event),
      displaced: () => (isDisplaced = true),
      whenIdle: (action: () => void) => action(),
      fault: (error: unknown) => expect(error).toBeUndefined(),
    };
    commands = new FamilyCommands(family, clock, host, { traceId: 't' });
  });

  async function answer(nth: number, event: FamilyAnswer): Promise<void> {
    asked[nth]!.answer(event);
    await Promise.resolve();
    await Promise.resolve();
  }

  it('follow the one under way where an end in the inbox made the token take its child back before the answer', async () => {
    takingBack({ id: 'c1', part: 'asking' });
    commands.run(takeBack);
    takingBack({ id: 'c1', part: 'asking', after: 1 });
    commands.run(takeBack);
    await answer(0, { type: 'childRuns', childId: 'c1', isCancellable: true });
    expect(asked.map(({ what }) => what)).toEqual(['take back c1 after undefined', 'take back c1 after 1']);
    const runs = { type: 'childRuns', childId: 'c1', isCancellable: false, after: 1 } as const;
    await answer(1, runs);
    expect(posted.at(-1)).toEqual(runs);
    expect(commands.isOut).toBe(false);
  });

  it('follow the one under way where the token went on to another child', async () => {
    starting('c1');
    commands.run(startChild('c1'));
    starting('c2');
    commands.run(startChild('c2'));
    await answer(0, ended('c1'));
    expect(asked.map(({ what }) => what)).toEqual(['start c1', 'start c2']);
    await answer(1, ended('c2'));
    expect(posted.at(-1)).toEqual(ended('c2'));
    expect(commands.isOut).toBe(false);
  });

  it('follow one that the store refused, once the token has gone on without its answer', async () => {
    starting('c1');
    commands.run(startChild('c1'));
    asked[0]!.refuse(new StoreUnavailable('unreachable', 'It is away.'));
    await Promise.resolve();
    await Promise.resolve();
    starting('c2');
    commands.run(startChild('c2'));
    expect(asked.map(({ what }) => what)).toEqual(['start c1']);
    await clock.advance(1_000);
    expect(asked.map(({ what }) => what)).toEqual(['start c1', 'start c2']);
    await answer(1, ended('c2'));
    expect(posted).toEqual([ended('c2')]);
    expect(commands.isOut).toBe(false);
  });

  it('end with the execution of a process that does not hold it any more', async () => {
    starting('c1');
    commands.run(startChild('c1'));
    starting('c2');
    commands.run(startChild('c2'));
    await answer(0, 'fenced');
    expect([isDisplaced, asked.length, posted]).toEqual([true, 1, []]);
  });
});
