/**
 * Whether a Content-Type is `application/json` or ends in `+json`; parameters do not matter, and neither does a type that is given twice, as
 * some gateways do it.
 */
export function isJsonType(contentType: string): boolean {
  if (contentType === 'application/json') return true;
  const end = /[;,]/.exec(contentType)?.index ?? contentType.length;
  const essence = contentType.slice(0, end).trim().toLowerCase();
  return essence === 'application/json' || (essence.endsWith('+json') && essence.includes('/'));
}
