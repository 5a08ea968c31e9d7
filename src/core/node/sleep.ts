import { conditionContext } from '../context/context-of.ts';
import { compileTextOrValue } from '../definition/value-plan.ts';
import type { Compiling } from '../definition/compiling.ts';
import { edgeAt, type NodeDraft } from '../definition/node-draft.ts';
import { hasMonthsOrYears, parseDuration } from '../definition/duration.ts';
import { quote, type Problems } from '../definition/problems.ts';
import { maxMillis, millis, next, nodeShape, optional, templateOrValue } from '../definition/shape/fields.ts';
import { present, toNumber } from '../definition/shape/shape-check.ts';
import type { Draft } from '../draft.ts';
import type { SleepPlan } from '../plan.ts';
import type { AttemptFailure, Token } from '../state.ts';
import { renderText } from '../template/value.ts';
import { failToken } from '../transition/failure.ts';
import { goTo } from '../transition/route.ts';
import { instantFault, parseInstant } from '../value/instant.ts';
import { nextOf, type NodeKind, placeOf } from './kind.ts';
import { quietRow } from '../transition/quiet-row.ts';

/** A durable wait, for a duration or until an instant. */
export const sleepKind: NodeKind<SleepPlan> = {
  shape: nodeShape(
    {
      durationMillis: optional(millis, 'How long to sleep, in milliseconds.'),
      duration: optional({ type: 'string' }, 'How long to sleep: ISO 8601 without months or years, such as PT5M.'),
      until: optional(
        templateOrValue,
        'Until when: a template or a value that gives an ISO 8601 time with an offset, or with a zone such as [Europe/Berlin].',
      ),
      next,
    },
    { exactlyOneOf: [['durationMillis', 'duration', 'until']] },
  ),
  read: (json, path) => ({ edges: edgeAt('next', json, path), canFail: present(json, 'until') !== undefined }),
  compile(node, base, compiling) {
    const wait = compileWait(node, base.id, compiling);
    return wait === undefined ? undefined : { ...base, kind: 'sleep', wait, ...nextOf(node) };
  },
  enter: fallAsleep,
  wake: wakeUp,
};

function fallAsleep(d: Draft, token: Token, node: SleepPlan, visit: number): void {
  const until = wakeTime(d, token, node, visit);
  if (typeof until === 'number') {
    const asleep = d.move(token, { kind: 'sleeping', since: d.now, until, visit });
    if (until <= d.now) wakeUp(d, asleep, node);
    return;
  }
  const failure: AttemptFailure = {
    outcome: 'rejected',
    reason: 'fail_node',
    description: until.problem,
    logged: until.logged,
  };
  d.step({
    ...quietRow(d, token, node, visit),
    phase: 'SLEEP',
    outcome: 'rejected',
    final: false,
    note: failure.description,
  });
  failToken(d, token, failure, { visit, undoFirst: false });
}

/** Maximum number of characters of an invalid time in a failure. */
const maxShownTime = 100;

function wakeTime(
  d: Draft,
  token: Token,
  node: SleepPlan,
  visit: number,
): number | { readonly problem: string; readonly logged: string } {
  const { wait } = node;
  if ('durationMillis' in wait) return d.now + wait.durationMillis;
  const rendered = renderText(wait.until, conditionContext(d.run, token, d.env, visit), d);
  const logged = `The time to sleep until, ${wait.until.template.source}, could not be used.`;
  if (!rendered.ok) return { problem: `The time to sleep until could not be rendered: ${rendered.error}`, logged };
  const text = rendered.text.trim();
  return (
    parseInstant(text) ?? {
      logged,
      problem: `It cannot be slept until ${JSON.stringify(text.slice(0, maxShownTime))}: it ${instantFault(text)}.`,
    }
  );
}

function wakeUp(d: Draft, token: Token, node: SleepPlan, note?: string): void {
  const { stage } = token;
  if (stage.kind !== 'sleeping') return;
  d.step({
    ...quietRow(d, token, node, stage.visit, stage.since),
    phase: 'SLEEP',
    outcome: 'succeeded',
    final: false,
    ...(note === undefined ? undefined : { note }),
  });
  d.signal({
    kind: 'step',
    nodeId: node.id,
    nodeKind: 'sleep',
    outcome: 'succeeded',
    durationMillis: d.now - stage.since,
  });
  goTo(d, token, node.next);
}

function compileWait(node: NodeDraft, nodeId: string, compiling: Compiling): SleepPlan['wait'] | undefined {
  const { problems } = compiling;
  const until = placeOf(node, 'until');
  const time = until.json === undefined ? undefined : compileTextOrValue(until, { kind: 'during', nodeId }, compiling);
  const duration = placeOf(node, 'duration');
  const parsed =
    typeof duration.json === 'string' ? compileDuration(duration.json, duration.path, problems) : undefined;
  if (time !== undefined) {
    const text = time.template.source.trim();
    if (!time.isValue && time.template.constant && parseInstant(text) === undefined) {
      problems.error(until.path, `${quote(text)} ${instantFault(text)}.`);
    }
    return { until: time };
  }
  const durationMillis = parsed ?? toNumber(present(node.json, 'durationMillis'));
  return durationMillis === undefined ? undefined : { durationMillis };
}

function compileDuration(text: string, path: string, problems: Problems): number | undefined {
  const millis = parseDuration(text);
  if (millis === undefined) {
    const sentence = hasMonthsOrYears(text)
      ? `${quote(text)} has years or months, whose length varies; write days or weeks.`
      : `${quote(text)} is not an ISO 8601 duration such as PT5M, PT1H30M or P2D.`;
    problems.error(path, sentence);
    return undefined;
  }
  if (millis < 1) problems.error(path, `${quote(text)} is not longer than nothing.`);
  else if (millis > maxMillis) problems.error(path, `${quote(text)} is longer than a thousand years.`);
  return millis;
}
