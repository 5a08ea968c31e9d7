/** Before the tests that need real servers: makes sure that these can be started. */
import { provisionServers } from './provision.ts';

export default provisionServers;
