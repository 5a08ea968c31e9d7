import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queryClient } from './api/queries.ts';
import { followScheme } from './platform/settings.ts';
import { router } from './router.tsx';
import './styles/tokens.css';
import './styles/base.css';
import './styles/frame.css';
import './styles/controls.css';
import './styles/panels.css';
import './styles/bodies.css';
import './styles/dialogs.css';
import './styles/graph.css';
import './styles/timeline.css';
import './styles/pages.css';
import './styles/run.css';
import './styles/rest.css';
import './styles/phone.css';

followScheme();

const place = document.querySelector('#app');
if (place === null) throw new Error('The page has no place for the app.');
createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
