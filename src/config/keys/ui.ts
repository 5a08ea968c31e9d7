import type { SectionKeys } from '../key.ts';
import { flag } from '../kinds.ts';

/** Keys of the web UI. */
export const uiKeys: SectionKeys<'ui'> = {
  'ui.enabled': {
    meaning: 'Whether the web UI is served at `/ui`. Without the API (`server.api: false`) it never is.',
    kind: flag,
    default: true,
  },
};
