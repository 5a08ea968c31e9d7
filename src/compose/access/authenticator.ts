import type { ServerOptions } from '../../api/server.ts';
import type { Config } from '../../config/config.ts';
import { isLoopback } from '../../config/rules.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { ApiKeys } from '../../security/api-keys.ts';
import { Authenticator } from '../../security/authenticator.ts';
import type { JwtVerifier } from '../../security/jwt-verifier.ts';
import type { PrometheusTelemetry } from '../../telemetry/prometheus-telemetry.ts';

/** Characters of a key's id that the log shows. */
const maxShownKid = 128;

/** The server's options about access: who may ask, and how much. */
export async function accessOptions(
  { server, metrics, security }: Config,
  clock: Clock,
  telemetry: PrometheusTelemetry,
): Promise<
  Pick<
    ServerOptions,
    'guard' | 'servesApi' | 'authenticator' | 'isMetricsPublic' | 'onRejected' | 'trustedProxies' | 'limits'
  >
> {
  const authenticator = await createAuthenticator(security, clock, telemetry);
  return {
    guard: authenticator === undefined ? guardOf(server, security) : undefined,
    servesApi: server.api,
    ...(authenticator === undefined ? {} : { authenticator }),
    isMetricsPublic: metrics.public,
    onRejected: (reason) => {
      telemetry.authRejected(reason);
    },
    trustedProxies: server.trustedProxies,
    limits: security.limits,
  };
}

/** An operator who allows requests without credentials may run a proxy in front that requires them. */
function guardOf(server: Config['server'], security: Config['security']): ServerOptions['guard'] {
  return {
    allowedHosts: server.allowedHosts,
    refusesProxies: isLoopback(server.host) && !security.allowUnauthenticated,
    hostsShown: 'the hosts of server.allowedHosts',
  };
}

/** Checks credentials; undefined when the configuration requires none. */
async function createAuthenticator(
  { auth, limits }: Config['security'],
  clock: Clock,
  telemetry: Pick<Telemetry, 'log'>,
): Promise<Authenticator | undefined> {
  if (!auth.enabled) return undefined;
  const jwt = await createJwtVerifier(auth.jwt, clock, telemetry);
  return new Authenticator({
    keys: new ApiKeys(auth.apiKeys),
    ...(jwt !== undefined && { jwt }),
    clock,
    failuresPerMinute: limits.failedAuthPerMinute,
  });
}

async function createJwtVerifier(
  { issuer, audience, jwksUrl, rolesClaim, definitionsClaim }: Config['security']['auth']['jwt'],
  clock: Clock,
  telemetry: Pick<Telemetry, 'log'>,
): Promise<JwtVerifier | undefined> {
  // The rules of the configuration require all three together.
  if (issuer === undefined || audience === undefined || jwksUrl === undefined) return undefined;
  // Loaded only where needed: it costs some MiB.
  const [{ JwtVerifier }, { RemoteKeySet }] = await Promise.all([
    import('../../security/jwt-verifier.ts'),
    import('../../security/remote-key-set.ts'),
  ]);
  const keys = new RemoteKeySet({
    url: jwksUrl,
    now: () => clock.monotonic(),
    onFailure: (error) => {
      const cause = error.cause instanceof Error ? error.cause.message : undefined;
      telemetry.log('warn', 'keys of the token issuer cannot be fetched', {
        url: jwksUrl,
        error: error.message,
        cause,
      });
    },
  });
  const settings = { issuer, audience, rolesClaim, ...(definitionsClaim !== undefined && { definitionsClaim }) };
  return new JwtVerifier(
    settings,
    keys,
    () => clock.now(),
    (kid, error) => {
      telemetry.log('warn', 'a key of the token issuer, or a token under it, cannot be used', {
        url: jwksUrl,
        kid: kid.slice(0, maxShownKid),
        error: error.message,
      });
    },
  );
}
