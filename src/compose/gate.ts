import type { Config } from '../config/config.ts';
import { Gatekeeper, type GatekeeperParts } from '../engine/call/gate/gatekeeper.ts';

/** The gate of a configuration: what keeps calls back. */
export function createGate(
  { circuitBreaker, http, runtime }: Config,
  parts: Pick<GatekeeperParts, 'clock' | 'entropy' | 'telemetry' | 'store'> & {
    readonly masker: { text(text: string): string };
  },
): Gatekeeper {
  return new Gatekeeper({
    ...parts,
    mask: (text) => parts.masker.text(text),
    ...(circuitBreaker.enabled ? { circuits: circuitBreaker } : undefined),
    maxConcurrency: http.perHost.maxConcurrency,
    overrides: http.perHost.overrides,
    workerCount: runtime.workerCount,
  });
}
