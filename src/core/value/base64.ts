/** The web's encoders, which Node and browsers have alike, and which do nothing but convert. */
declare const TextEncoder: new () => { encode(text: string): Uint8Array };
declare const TextDecoder: new (
  label: string,
  options: { readonly fatal: boolean; readonly ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string };
declare const btoa: (binary: string) => string;
declare const atob: (base64: string) => string;

/** Bytes that `String.fromCharCode` takes as arguments at a time. */
const bytesAtOnce = 8192;

/** The base64 (RFC 4648, section 4) of a text's UTF-8. The text must be well-formed. */
export function toBase64(text: string): string {
  const bytes = new TextEncoder().encode(text);
  let binary = '';
  for (let i = 0; i < bytes.length; i += bytesAtOnce) {
    binary += String.fromCharCode(...bytes.subarray(i, i + bytesAtOnce));
  }
  return btoa(binary);
}

/** The text whose UTF-8 a base64 text holds; padding is optional, white space is ignored. Undefined if there is none. */
export function fromBase64(base64: string): string | undefined {
  try {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Both throw for what is no base64 and no UTF-8, and for nothing else.
    return undefined;
  }
}
