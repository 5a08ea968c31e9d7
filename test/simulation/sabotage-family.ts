/** Stores that break one rule each of loops over items, of the first of several branches, of families and of undo. */
import type { Loop, State, Token } from '../../src/core/state.ts';
import type { Checkpoint, Store, Tell } from '../../src/ports/store.ts';
import { withOperations } from './sabotage.ts';

/** A store that changes the states that workers take over. */
function withStates(store: Store, change: (state: State) => State): Store {
  return withOperations(store, {
    takeOver: async (claims, now) =>
      (await store.takeOver(claims, now)).map((loaded) => ({ ...loaded, state: change(loaded.state) })),
  });
}

/** That an item has begun is not durable: the worker that takes a loop over has never heard of the latest one. */
export function withoutBegunItems(store: Store): Store {
  return withStates(store, (state) => {
    const latest = state.tokens.flatMap(({ stage }) => (stage.kind === 'looping' ? (latestOf(stage.loop) ?? []) : []));
    if (latest.length === 0) return state;
    const isForgotten = ({ scope }: Token): boolean => latest.some(({ part }) => scope.includes(part));
    const tokens = state.tokens.filter((token) => !isForgotten(token)).map((token) => forget(token));
    return { ...state, tokens };
  });
}

function forget(token: Token): Token {
  const { stage } = token;
  const latest = stage.kind === 'looping' ? latestOf(stage.loop) : undefined;
  if (stage.kind !== 'looping' || latest === undefined) return token;
  const running = stage.loop.running.filter(({ place }) => place !== latest.place);
  return { ...token, stage: { ...stage, loop: { ...stage.loop, next: latest.place, running } } };
}

/** The item that a loop has begun last, if it runs, and the part of its scope that names it. */
function latestOf({ ord, next, running }: Loop): { readonly place: number; readonly part: string } | undefined {
  const item = running.find(({ place }) => place === next - 1);
  return item && { place: item.place, part: `#${String(ord)}/#${String(item.start)}:${String(item.place)}` };
}

/** The id of a child is not durable before the child is: the worker that takes its parent over gives it another one. */
export function withoutChildIds(store: Store): Store {
  let taken = 0;
  return withStates(store, (state) => ({
    ...state,
    tokens: state.tokens.map((token) => {
      const { stage } = token;
      if (stage.kind !== 'child' || stage.part !== 'starting') return token;
      const id = stage.child.id.slice(0, -6) + (++taken).toString(16).padStart(6, '0');
      return { ...token, stage: { ...stage, child: { ...stage.child, id } } };
    }),
  }));
}

/** The commit that ends a child does not tell its parent. */
export function withoutEnds(store: Store): Store {
  const strip = <T extends { readonly tells?: readonly Tell[] }>(change: T): T => ({
    ...change,
    ...(change.tells && { tells: change.tells.filter(({ row }) => row.event.type !== 'childEnded') }),
  });
  return withOperations(store, { checkpoint: (batch) => store.checkpoint(batch.map(strip)) });
}

/** A branch that is taken back finds nothing to compensate. */
export function withoutUndoOfBranches(store: Store): Store {
  return withOperations(store, {
    findUndo: (id, round, filter) =>
      filter.scope === '' || filter.scope.includes('/#')
        ? store.findUndo(id, round, filter)
        : Promise.resolve(undefined),
  });
}

/** Of a run that is undone, the first note of each compensation that it is done gets lost. */
export function withoutNotesOfUndo(store: Store): Store {
  const lost = new Set<string>();
  const strip = (change: Checkpoint): Checkpoint => ({
    ...change,
    undo: change.undo.filter((mark) => {
      const of = `${change.id} ${String(mark.kind === 'set' ? mark.ord : '')}`;
      if (change.state.verdict?.reason !== 'undone' || mark.kind !== 'set' || mark.undo !== 'done' || lost.has(of))
        return true;
      lost.add(of);
      return false;
    }),
  });
  return withOperations(store, { checkpoint: (batch) => store.checkpoint(batch.map(strip)) });
}
