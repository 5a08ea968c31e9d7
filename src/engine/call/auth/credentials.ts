import { hash as digest } from 'node:crypto';
import type { AuthPlan } from '../../../core/plan.ts';
import { hostOf } from '../host-label.ts';
import { type Bindings, type CallProblem, type Destination, refusedSecret } from './secret-destination.ts';
import type { TokenGrant } from './token-cache.ts';

/** The secrets and their permitted destinations. */
interface CredentialSource extends Pick<Bindings, 'mayGoTo'> {
  secret(name: string): string | undefined;
}

/**
 * The credentials of a call: a value for `Authorization`, the grant for a token, or the reason why the call can never
 * be sent.
 */
export type Credentials =
  | { readonly kind: 'header'; readonly value: string }
  | { readonly kind: 'grant'; readonly grant: TokenGrant }
  | ({ readonly kind: 'problem' } & CallProblem);

/** Resolves a call's `auth` to credentials with the present secrets. Sentences name secrets, never their values. */
export function credentialsOf(
  auth: AuthPlan,
  destination: Destination,
  source: CredentialSource,
  mask: (text: string) => string,
): Credentials {
  const names = secretNamesOf(auth);
  const values = names.map((name) => source.secret(name));
  const missing = names.find((_, i) => values[i] === undefined);
  if (missing !== undefined) return problem(`The secret ${missing} of the call's "auth" is missing.`);
  const refused = refusal(auth, names, destination, source, mask);
  if (refused !== undefined) return { kind: 'problem', ...refused };
  const [first = '', second = ''] = values as readonly string[];
  switch (auth.type) {
    case 'basic':
      // RFC 7617: the first colon ends the user name.
      if (first.includes(':')) return problem(`The secret ${auth.usernameSecret} holds a colon; no user name may.`);
      return { kind: 'header', value: basic(first, second) };
    case 'bearer':
      if (!/^[\t\x20-\x7e\x80-\xff]+$/.test(first)) {
        return problem(`The secret ${auth.secret} holds a character that no header may hold.`);
      }
      return { kind: 'header', value: `Bearer ${first}` };
    case 'oauth2ClientCredentials':
      return grantOf(auth, first, second);
  }
}

function refusal(
  auth: AuthPlan,
  names: readonly string[],
  destination: Destination,
  source: CredentialSource,
  mask: (text: string) => string,
): CallProblem | undefined {
  if (auth.type !== 'oauth2ClientCredentials') return refusedSecret(names, destination, source, mask);
  const { tokenUrl, clientSecretSecret } = auth;
  const endpoint = { url: tokenUrl, hostFromData: false, template: tokenUrl };
  const refused = refusedSecret(names, endpoint, source, mask);
  if (refused !== undefined || !destination.hostFromData) return refused;
  // While valid, the token grants the same access as the secret, so data must not choose its receiver.
  return refusedSecret([clientSecretSecret], destination, source, mask, 'An access token fetched with');
}

function secretNamesOf(auth: AuthPlan): readonly string[] {
  switch (auth.type) {
    case 'basic':
      return [auth.usernameSecret, auth.passwordSecret];
    case 'bearer':
      return [auth.secret];
    case 'oauth2ClientCredentials':
      return [auth.clientIdSecret, auth.clientSecretSecret];
  }
}

function grantOf(
  auth: Extract<AuthPlan, { type: 'oauth2ClientCredentials' }>,
  clientId: string,
  clientSecret: string,
): Credentials {
  const { tokenUrl, scope, audience } = auth;
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scope !== undefined) form.set('scope', scope);
  if (audience !== undefined) form.set('audience', audience);
  // The key includes the secret: a call with another secret must not get the token that the right one fetched.
  const key = digest('sha256', JSON.stringify([tokenUrl, clientId, clientSecret, scope, audience]));
  return {
    kind: 'grant',
    grant: {
      key,
      host: hostOf(tokenUrl),
      url: tokenUrl,
      // RFC 6749, section 2.3.1: client id and secret are form-encoded before the Basic encoding.
      authorization: basic(formEncoded(clientId), formEncoded(clientSecret)),
      body: form.toString(),
    },
  };
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

function problem(sentence: string): Credentials {
  return { kind: 'problem', problem: sentence };
}
