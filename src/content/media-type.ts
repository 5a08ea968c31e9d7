/**
 * Whether a Content-Type is `application/json` or ends in `+json`; parameters do not matter, and neither does a type that is given twice, as
 * some gateways do it.
 */
export function isJsonType(contentType: string): boolean {
  if (contentType === 'application/json') return true;
  const semicolon = contentType.indexOf(';');
  const types = semicolon === -1 ? contentType : contentType.slice(0, semicolon);
  const comma = types.indexOf(',');
  const essence = (comma === -1 ? types : types.slice(0, comma)).trim().toLowerCase();
  return essence === 'application/json' || (essence.endsWith('+json') && essence.includes('/'));
}
