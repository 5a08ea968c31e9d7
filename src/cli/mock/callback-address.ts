/** Finds the callback address in a request, wherever the definition has put it. */

/** An address, and its token where the URL does not contain it. */
export interface CallbackAddress {
  readonly url: string;
  readonly token?: string;
}

const token = String.raw`trc1\.[\w-]+\.[\w-]+\.[\w-]+`;
const address = new RegExp(String.raw`https?://[^\s"'<>\\]+?/(?:workflows|sagas)/[\w-]+/node/[^\s"'<>\\/]+/callback`);
const signed = new RegExp(`${address.source}/${token}`);

/** Searches the URL, the header values and the body, also for percent-encoded forms. */
export function findCallbackAddress(texts: readonly string[]): CallbackAddress | undefined {
  const all = texts.flatMap((text) => (text.includes('%') ? [text, decoded(text)] : [text])).join('\n');
  const whole = signed.exec(all)?.[0];
  if (whole !== undefined) return { url: whole };
  const url = address.exec(all)?.[0];
  const beside = new RegExp(token).exec(all)?.[0];
  return url === undefined || beside === undefined ? undefined : { url, token: beside };
}

function decoded(text: string): string {
  return text.replaceAll(/(?:%[\da-f]{2})+/gi, (part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
}
