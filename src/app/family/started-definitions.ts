import type { Plan, WorkflowPlan } from '../../core/plan.ts';
import type { AppContext } from '../context.ts';

/** Levels of families, as in an execution. */
const maxDepth = 10;

/** The definitions that nodes of the plan start. */
export function startedBy(plan: Plan): readonly WorkflowPlan['definition'][] {
  return [...plan.nodes.values()].flatMap((node) => (node.kind === 'workflow' ? [node.definition] : []));
}

/**
 * Whether everything that a run of the plan starts has a name that `includes`, through the definitions that are stored now. A
 * definition that is not stored starts nothing.
 */
export async function startsOnly(
  { store, plans }: Pick<AppContext, 'plans'> & { readonly store: Pick<AppContext['store'], 'getDefinition'> },
  plan: Plan,
  includes: (name: string) => boolean,
): Promise<boolean> {
  const seen = new Set<string>();
  let level = startedBy(plan);
  for (let depth = 1; depth <= maxDepth && level.length > 0; depth++) {
    const next: WorkflowPlan['definition'][] = [];
    for (const { name, version } of level) {
      if (!includes(name)) return false;
      const key = JSON.stringify([name, version]);
      if (seen.has(key)) continue;
      seen.add(key);
      const record = await store.getDefinition({ name, version });
      const below = record && (await plans.load(record.hash));
      if (below !== undefined) next.push(...startedBy(below));
    }
    level = next;
  }
  return true;
}
