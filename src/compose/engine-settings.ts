import type { Config } from '../config/config.ts';
import type { DefinitionLimits } from '../core/definition/limits.ts';
import { defaultEngineSettings, type EngineSettings } from '../engine/settings.ts';

/** The engine's settings of a configuration; settings without a key keep their default. */
export function engineSettings({ runtime, redis, http, hooks, security }: Config): EngineSettings {
  return {
    ...defaultEngineSettings,
    workerCount: runtime.workerCount,
    prefetch: runtime.prefetch,
    maxInHandBytes: runtime.maxInHandBytes,
    maxOutputBytes: runtime.maxOutputBytes,
    claimBatch: redis.queue.consumer.batchSize,
    leaseMillis: redis.queue.consumer.processingTimeoutMillis,
    maxStepsPerExecution: runtime.maxStepsPerExecution,
    fullSweepMillis: runtime.fullSweepIntervalMillis,
    livenessStallMillis: runtime.livenessStallMillis,
    requestTimeoutMillis: http.requestTimeoutMillis,
    maxTimeoutMillis: http.maxTimeoutMillis,
    maxHistoryBody: security.limits.maxHistoryBodyBytes,
    maxWatchers: security.limits.maxOpenRequests,
    limits: {
      ...defaultEngineSettings.limits,
      maxNodeVisits: runtime.maxNodeVisits,
      maxNodeVisitsCap: runtime.maxNodeVisitsCap,
      hookMaxMillis: hooks.maxMillis,
      hookDeliverMillis: hooks.deliverMillis,
      maxRetryAfterMillis: http.maxRetryAfterMillis,
    },
  };
}

/** The bounds of definitions of a configuration. */
export function definitionLimits({ security, runtime, http }: Config): DefinitionLimits {
  return {
    maxBytes: security.limits.maxDefinitionBytes,
    maxNodes: security.limits.maxDefinitionNodes,
    maxDepth: security.limits.maxJsonDepth,
    maxNodeVisitsCap: runtime.maxNodeVisitsCap,
    maxTimeoutMillis: http.maxTimeoutMillis,
    maxRenderedBytes: security.limits.maxRenderedRequestBytes,
    maxEvaluationSteps: security.limits.maxEvaluationSteps,
  };
}
