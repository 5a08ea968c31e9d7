import type { ExecutionHeader, Told } from '../run.ts';
import type { State } from '../state.ts';

/** What a child tells its parent with its end; undefined for an execution without a parent, or one that is not over. */
export function endTold({ id, parent }: Pick<ExecutionHeader, 'id' | 'parent'>, state: State): Told | undefined {
  const { end, verdict, ends = 0 } = state;
  if (parent === undefined || end === undefined) return undefined;
  const { status, reason, description } = end;
  return {
    executionId: parent.id,
    event: {
      type: 'childEnded',
      inboxId: `ended:${id}:${String(ends)}`,
      childId: id,
      end: ends,
      status,
      ...(reason === undefined ? undefined : { reason }),
      ...(description === undefined ? undefined : { description }),
      ...(verdict?.statusCode === undefined ? undefined : { statusCode: verdict.statusCode }),
      visits: state.totalVisits + (state.childVisits ?? 0),
      // The store says it, by the rows of the execution.
      standing: false,
    },
    ...(state.result === undefined ? undefined : { result: state.result }),
  };
}
