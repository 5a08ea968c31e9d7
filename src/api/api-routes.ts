import type { FastifyInstance } from 'fastify';
import { WaitingCounts } from '../app/view/waiting.ts';
import type { Store } from '../ports/store.ts';
import type { ApiContext } from './context.ts';
import type { Schema } from './documents/schema.ts';
import type { UiFiles } from './http/ui-files.ts';
import type { Installation } from './installation.ts';
import { bulkRoutes } from './routes/bulk.ts';
import { auditRoutes, executionAuditRoutes } from './routes/audit.ts';
import { callbackPageRoute } from './routes/callback-page.ts';
import { callbackRoutes } from './routes/callbacks.ts';
import { controlRoutes } from './routes/controls.ts';
import { definitionRoutes } from './routes/definitions.ts';
import { clusterRoutes } from './routes/cluster.ts';
import { eventRoutes } from './routes/events.ts';
import { countRoutes } from './routes/execution/counts.ts';
import { historyRoutes } from './routes/execution/history.ts';
import { previewRoutes } from './routes/execution/previews.ts';
import { timelineRoutes } from './routes/execution/timeline.ts';
import { namesRoute } from './routes/installation/names.ts';
import { sessionRoute } from './routes/installation/session.ts';
import { executionRoutes } from './routes/executions.ts';
import { topRoutes } from './routes/top.ts';
import { uiRoutes } from './routes/ui.ts';
import { holdRoutes } from './routes/holds.ts';
import { indexRoute } from './routes/index-page.ts';
import { runRoutes } from './routes/runs.ts';

/** What the routes need besides the context of the API. */
export interface RouteParts {
  /** The schema of definitions, for the documentation. */
  readonly definition: Schema;
  readonly auditLog: Pick<Store, 'listAudit'>;
  readonly version: string;
  /** Whether callers need credentials. */
  readonly isProtected: boolean;
  readonly installation: Installation;
  /** The files of the web UI, if they were built. */
  readonly ui?: UiFiles;
}

/** Registers everything but health, metrics and the API's description. */
export function apiRoutes(
  server: FastifyInstance,
  api: ApiContext,
  { definition, auditLog, version, isProtected, installation, ui }: RouteParts,
): void {
  for (const prefix of ['/workflows', '/sagas']) {
    server.register(
      (scope, _options, done) => {
        runRoutes(scope, api);
        definitionRoutes(scope, api, definition);
        executionRoutes(scope, api);
        historyRoutes(scope, api);
        timelineRoutes(scope, api);
        countRoutes(scope, api);
        previewRoutes(scope, api);
        controlRoutes(scope, api);
        bulkRoutes(scope, api);
        topRoutes(scope, api);
        executionAuditRoutes(scope, api);
        eventRoutes(scope, api);
        callbackRoutes(scope, api);
        callbackPageRoute(scope, api);
        done();
      },
      { prefix },
    );
  }
  const counts = new WaitingCounts(api.app);
  holdRoutes(server, api, counts);
  clusterRoutes(server, api, counts);
  auditRoutes(server, { store: auditLog, app: api.app });
  if (ui !== undefined) uiRoutes(server, ui);
  sessionRoute(server, { now: () => api.app.clock.now(), installation, version, isProtected });
  namesRoute(server, installation);
  indexRoute(server);
}
