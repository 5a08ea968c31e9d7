/**
 * Whether a Content-Type is `application/json` or ends in `+json`. Ignores parameters, and a type that is repeated, as
 * some gateways do.
 */
export function isJsonType(contentType: string): boolean {
  if (contentType === 'application/json') return true;
  const semicolon = contentType.indexOf(';');
  const types = semicolon === -1 ? contentType : contentType.slice(0, semicolon);
  const comma = types.indexOf(',');
  const essence = (comma === -1 ? types : types.slice(0, comma)).trim().toLowerCase();
  return essence === 'application/json' || (essence.endsWith('+json') && essence.includes('/'));
}
