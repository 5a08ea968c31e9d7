import { isJsonObject, type Json, type JsonObject } from '../value/json.ts';
import type { CallPlan, NodePlan, Plan, RequiredPath, RetryPolicy } from '../plan.ts';
import { keysOfPath } from '../template/path-keys.ts';
import { compileCall } from './call-plan.ts';
import type { Compiling, ExpressionNeeds, Read } from './compiling.ts';
import { warnOfUncompensated } from './warnings/call-warnings.ts';
import { documentShape, shapeBook } from './shape/document-shape.ts';
import { readDraft } from './draft.ts';
import { analyseFlow } from './flow.ts';
import { checkGraph, type Layout } from './graph.ts';
import { checkSize, defaultDefinitionLimits, type DefinitionLimits, labelLimits } from './limits.ts';
import { checkLoopReads } from './loop-reads.ts';
import { checkNodeFields, visitsReadOf } from './shape/node-fields.ts';
import { warnOfNoEffect } from './warnings/no-effect.ts';
import type { Draft } from './node-draft.ts';
import { compileNode, warnOfNodes } from './node-plan.ts';
import { warnOfOwnName } from '../node/workflow.ts';
import { compilePolicy, defaultCompensationHandling, defaultFailureHandling, warnOfShortPolicy } from './policy.ts';
import { at, createProblems, quote, show, type Problems } from './problems.ts';
import { warnOfMistypedPayload } from './warnings/payload-reads.ts';
import { warnOfVolatileSets } from './warnings/volatile-sets.ts';
import { analyseAsks } from './warnings/asks.ts';
import { summarizeReads, warnOfReads } from './warnings/reads.ts';
import { checkShape, present, toNumber, unprintable } from './shape/shape-check.ts';
import { weightOf } from './weight.ts';

/** The result of a compilation. Every problem is a sentence that begins with its JSON path. */
export type Compilation =
  | { readonly ok: true; readonly plan: Plan; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly errors: readonly string[]; readonly warnings: readonly string[] };

/** Options of a compilation. */
export interface CompileOptions {
  /** Content hash of the document; copied into the plan. */
  readonly hash: string;
  /** Overrides of the default limits. */
  readonly limits?: Partial<DefinitionLimits>;
}

/**
 * Checks, normalises and compiles a definition document. Collects all problems (up to `maxProblems`) instead of
 * stopping at the first. Never throws, whatever the document contains. Deterministic: equal documents give equal
 * results.
 */
export function compileDefinition(document: Json, options: CompileOptions): Compilation {
  const problems = createProblems();
  const limits = { ...defaultDefinitionLimits, ...options.limits };
  const plan = compile(document, options.hash, limits, problems);
  const { errors, warnings } = problems;
  return plan !== undefined && errors.length === 0 ? { ok: true, plan, warnings } : { ok: false, errors, warnings };
}

function compile(document: Json, hash: string, limits: DefinitionLimits, problems: Problems): Plan | undefined {
  const bytes = checkSize(document, limits, problems);
  if (bytes === undefined) return undefined;
  if (!isJsonObject(document)) {
    problems.error('', `Must be an object, not ${show(document)}.`);
    return undefined;
  }
  checkShape(documentShape(limits.maxNodeVisitsCap), document, '', shapeBook(), problems);
  checkRequiredPayload(document, problems);
  checkLabels(document, problems);
  const draft = readDraft(document);
  if (draft.nodes.length > limits.maxNodes) {
    const [list, counted] = draft.linear ? ['steps', 'steps'] : ['nodes', 'nodes'];
    const [max, count] = [String(limits.maxNodes), String(draft.nodes.length)];
    problems.error(list, `A definition has at most ${max} ${counted}, not ${count}.`);
    return undefined;
  }
  const layout = checkGraph(draft, problems);
  const parts = compileParts(document, draft, layout, limits, problems);
  return parts === undefined ? undefined : assemble(document, { hash, bytes }, draft, parts);
}

/** Number of mistyped paths that get a suggestion. Each search compares with all ids. */
const maxPathHints = 20;

interface Parts {
  readonly nodes: readonly NodePlan[];
  readonly failureHandling: RetryPolicy;
  readonly compensationHandling: RetryPolicy;
  readonly onSuccess: CallPlan | undefined;
  readonly onFailure: CallPlan | undefined;
  readonly reads: readonly Read[];
  readonly needs: ExpressionNeeds;
}

/**
 * Compiles every part that can be compiled, so that all problems are found. Returns undefined if any part is invalid.
 */
function compileParts(
  document: JsonObject,
  draft: Draft,
  layout: Layout,
  limits: DefinitionLimits,
  problems: Problems,
): Parts | undefined {
  const reads: Read[] = [];
  const compiling: Compiling = {
    nodeIds: new Set(draft.byId.keys()),
    loops: 0,
    limits: { maxSteps: limits.maxEvaluationSteps, maxBytes: limits.maxRenderedBytes },
    maxTimeoutMillis: limits.maxTimeoutMillis,
    problems,
    reads,
    hints: { left: maxPathHints },
    needs: { format: 1, values: 0 },
  };
  const policy = (key: 'failureHandling' | 'compensationHandling', fallback: RetryPolicy): RetryPolicy | undefined =>
    compilePolicy(present(document, key), key, fallback, problems);
  const failureHandling = policy('failureHandling', defaultFailureHandling);
  const compensationHandling = policy('compensationHandling', defaultCompensationHandling);
  if (compensationHandling !== undefined) warnOfShortPolicy(compensationHandling, 'compensationHandling', problems);

  const nodes = draft.nodes.flatMap((node) => {
    const place = layout.places.get(node.id ?? '');
    return compileNode(node, place, failureHandling ?? defaultFailureHandling, compiling) ?? [];
  });
  const hook = (key: 'onSuccessCallback' | 'onFailureCallback'): CallPlan | undefined => {
    const json = present(document, key);
    const kind = key === 'onSuccessCallback' ? 'onSuccess' : 'onFailure';
    return json === undefined ? undefined : compileCall({ json, path: key }, { kind }, {}, compiling);
  };
  const onSuccess = hook('onSuccessCallback');
  const onFailure = hook('onFailureCallback');
  checkNodeFields(reads, draft, problems);
  checkLoopReads(reads, draft, layout, problems);
  warnOfNoEffect(document, draft, problems);
  warnOfNodes(draft.nodes, problems);
  warnOfVolatileSets(reads, nodes, problems);
  warnOfOwnName(draft.nodes, present(document, 'name'), problems);
  if (layout.sound) {
    const flow = analyseFlow(draft, layout);
    warnOfReads(reads, draft, flow, problems);
    warnOfMistypedPayload(reads, requiredPaths(document), problems);
    warnOfUncompensated(draft, flow, problems);
  }
  const whole = layout.sound && nodes.length === draft.nodes.length;
  if (!whole || failureHandling === undefined || compensationHandling === undefined) return undefined;
  return { nodes, failureHandling, compensationHandling, onSuccess, onFailure, reads, needs: compiling.needs };
}

function assemble(
  document: JsonObject,
  { hash, bytes }: { readonly hash: string; readonly bytes: number },
  draft: Draft,
  parts: Parts,
): Plan | undefined {
  const name = present(document, 'name');
  const version = present(document, 'version');
  if (typeof name !== 'string' || typeof version !== 'string' || draft.entry === undefined) return undefined;
  const labels = present(document, 'labels');
  const timeoutMillis = toNumber(present(document, 'timeoutMillis'));
  const maxNodeVisits = toNumber(present(document, 'maxNodeVisits'));
  const nodes = new Map(parts.nodes.map((node) => [node.id, node]));
  const { asks, usesOrder } = summarizeReads(parts.reads, draft);
  return {
    weight: weightOf(bytes, parts.reads.length, parts.nodes, parts.needs.values),
    format: parts.needs.format,
    hash,
    name,
    version,
    entry: draft.entry,
    nodes,
    failureHandling: parts.failureHandling,
    compensationHandling: parts.compensationHandling,
    ...(parts.onSuccess === undefined ? {} : { onSuccess: parts.onSuccess }),
    ...(parts.onFailure === undefined ? {} : { onFailure: parts.onFailure }),
    ...(timeoutMillis === undefined ? {} : { timeoutMillis }),
    ...(maxNodeVisits === undefined ? {} : { maxNodeVisits }),
    ...(isJsonObject(labels) ? { labels: textFields(labels) } : {}),
    requiredPayload: requiredPaths(document),
    ...startsOf(parts.nodes),
    asks,
    usesOrder,
    visitsRead: visitsReadOf(parts.reads, draft),
    ...analyseAsks(draft, nodes, asks),
  };
}

function checkRequiredPayload(document: JsonObject, problems: Problems): void {
  const list = present(document, 'requiredPayload');
  for (const [index, path] of (Array.isArray(list) ? (list as readonly Json[]) : []).entries()) {
    if (typeof path !== 'string' || path.trim() === '') continue;
    const place = at('requiredPayload', index);
    if (path.includes('{{')) problems.error(place, `${quote(path)} must be a plain path, not a template.`);
    else {
      const split = keysOfPath(path);
      if ('error' in split) problems.error(place, `${quote(path)} ${split.error}.`);
    }
  }
}

function requiredPaths(document: JsonObject): readonly RequiredPath[] {
  return texts(present(document, 'requiredPayload')).flatMap((text) => {
    const split = keysOfPath(text);
    return 'keys' in split ? [{ text, keys: split.keys }] : [];
  });
}

function startsOf(nodes: readonly NodePlan[]): Pick<Plan, 'starts'> {
  const starts = nodes.flatMap((node) => (node.kind === 'workflow' ? [node.definition] : []));
  return starts.length === 0 ? {} : { starts };
}

/** Executions inherit the labels of their definition, so these must meet the same limits as the labels of a run. */
function checkLabels(document: JsonObject, problems: Problems): void {
  const labels = present(document, 'labels');
  const entries = Object.entries(isJsonObject(labels) ? labels : {});
  if (entries.length > labelLimits.count) {
    problems.error('labels', `Must have at most ${String(labelLimits.count)} entries, not ${String(entries.length)}.`);
  }
  for (const [key, value] of entries) {
    if (key === '' || key.length > labelLimits.key) {
      problems.error(at('labels', key), `A label's name has 1 to ${String(labelLimits.key)} characters.`);
    }
    if (typeof value === 'string' && value.length > labelLimits.value) {
      problems.error(at('labels', key), `Must have at most ${String(labelLimits.value)} characters.`);
    }
    if (!unprintable.test(key) && !(typeof value === 'string' && unprintable.test(value))) continue;
    problems.error(at('labels', key), 'Must hold no control character and no half of a character.');
  }
}

const texts = (list: Json | undefined): readonly string[] =>
  Array.isArray(list) ? list.filter((item): item is string => typeof item === 'string') : [];

const textFields = (object: JsonObject): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(object).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
