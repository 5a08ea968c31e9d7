import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { Frame } from './frame/frame.tsx';
import { NotFound, PageFailed } from './frame/page-failed.tsx';
import { AttentionPage } from './pages/attention/attention-page.tsx';
import { ExecutionPage } from './pages/execution/execution-page.tsx';
import { ExecutionsPage } from './pages/executions/executions-page.tsx';
import { uiUrl } from './platform/address.ts';
import { parseSearch, type Search, stringifySearch } from './platform/search.ts';

const rootRoute = createRootRoute({ component: Frame, notFoundComponent: NotFound });
const getParentRoute = (): typeof rootRoute => rootRoute;
const validateSearch = (search: Record<string, unknown>): Search => search as Search;

const homeRoute = createRoute({
  getParentRoute,
  path: '/',
  beforeLoad: () => {
    // The router takes a thrown redirect.
    // oxlint-disable-next-line typescript/only-throw-error
    throw redirect({ to: '/attention', replace: true });
  },
});

const attentionRoute = createRoute({ getParentRoute, path: '/attention', component: AttentionPage });

const executionsRoute = createRoute({
  getParentRoute,
  path: '/executions',
  validateSearch,
  component: ExecutionsPage,
});

const executionRoute = createRoute({ getParentRoute, path: '/executions/$id/$', component: ExecutionPage });

const definitionsRoute = createRoute({
  getParentRoute,
  path: '/definitions',
  component: lazyRouteComponent(() => import('./pages/definitions/definitions-page.tsx'), 'DefinitionsPage'),
});

const definitionRoute = createRoute({
  getParentRoute,
  path: '/definitions/$name/$version',
  component: lazyRouteComponent(() => import('./pages/definitions/definition-page.tsx'), 'DefinitionPage'),
});

const operationsRoute = createRoute({
  getParentRoute,
  path: '/operations',
  component: lazyRouteComponent(() => import('./pages/operations/operations-page.tsx'), 'OperationsPage'),
});

const holdsRoute = createRoute({
  getParentRoute,
  path: '/holds',
  component: lazyRouteComponent(() => import('./pages/operations/holds-page.tsx'), 'HoldsPage'),
});

const auditRoute = createRoute({
  getParentRoute,
  path: '/audit',
  validateSearch,
  component: lazyRouteComponent(() => import('./pages/audit/audit-page.tsx'), 'AuditPage'),
});

const settingsRoute = createRoute({
  getParentRoute,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/settings/settings-page.tsx'), 'SettingsPage'),
});

const routeTree = rootRoute.addChildren([
  homeRoute,
  attentionRoute,
  executionsRoute,
  executionRoute,
  definitionsRoute,
  definitionRoute,
  operationsRoute,
  holdsRoute,
  auditRoute,
  settingsRoute,
]);

/** The router. Its base is the place of the UI's own script, so that any prefix works. */
export const router = createRouter({
  routeTree,
  basepath: uiUrl.pathname,
  parseSearch,
  stringifySearch,
  defaultErrorComponent: PageFailed,
  scrollRestoration: false,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
