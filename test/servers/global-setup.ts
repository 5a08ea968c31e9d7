/** Before the tests that need real servers: makes sure that these can be started. */
import { provisionServers } from './provision.ts';

/** Called by the test runner once for each project that names this file. */
export const setup: () => Promise<void> = provisionServers;
