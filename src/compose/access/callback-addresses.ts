import type { Json } from '../../core/value/json.ts';
import type { Plan } from '../../core/plan.ts';
import type { CallbackIssuer } from '../../engine/call/prepared-call.ts';
import type { Plans } from '../../app/context.ts';
import type { CallbackTokens } from '../../security/callback-token.ts';

/**
 * Creates the addresses of callbacks. Asks for tokens and URL at every use: they are known once the server has started.
 */
export function createCallbackIssuer(live: () => CallbackTokens, baseUrl: () => string): CallbackIssuer {
  return {
    keyFor: (used) => live().keyFor(used),
    issue({ keyId, ...claims }) {
      const { executionId, nodeId } = claims;
      const tokens = live();
      const base = baseUrl();
      const token = tokens.issue(claims, keyId);
      const url = tokens.url(base, executionId, nodeId);
      return { url, token, signedUrl: tokens.signedUrl(base, executionId, nodeId, token) };
    },
  };
}

/** The same plans, but refuses new definitions with async nodes: callbacks could not reach this server. */
export function withoutAsyncNodes(plans: Plans): Plans {
  return {
    compile(definition: Json) {
      const compiled = plans.compile(definition);
      if (!compiled.ok) return compiled;
      const errors = asyncNodes(compiled.plan).map(
        (node) =>
          `nodes[${node.index}]: The async node ${JSON.stringify(node.id)} cannot run here: this server has no ` +
          'runtime.callback.baseUrl, so callbacks could not reach it.',
      );
      return errors.length === 0 ? compiled : { ok: false, errors, warnings: compiled.warnings };
    },
    load: (hash) => plans.load(hash),
  };
}

function asyncNodes(plan: Plan): { readonly id: string; readonly index: number }[] {
  return [...plan.nodes.values()].filter((node) => node.kind === 'task' && node.mode === 'async');
}
