import { createRootRoute, createRoute, createRouter, redirect } from '@tanstack/react-router';
import { Frame } from './frame/frame.tsx';
import { NotFound, PageFailed } from './frame/page-failed.tsx';
import { ExecutionsPage } from './pages/executions/executions-page.tsx';
import { ExecutionPage } from './pages/execution/execution-page.tsx';
import { uiUrl } from './platform/address.ts';
import { parseSearch, type Search, stringifySearch } from './platform/search.ts';

const rootRoute = createRootRoute({ component: Frame, notFoundComponent: NotFound });

const homeRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/',
  beforeLoad: () => {
    // The router takes a thrown redirect.
    // oxlint-disable-next-line typescript/only-throw-error
    throw redirect({ to: '/executions', replace: true });
  },
});

const executionsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/executions',
  validateSearch: (search: Record<string, unknown>): Search => search as Search,
  component: ExecutionsPage,
});

const executionRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/executions/$id/$',
  component: ExecutionPage,
});

const routeTree = rootRoute.addChildren([homeRoute, executionsRoute, executionRoute]);

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
