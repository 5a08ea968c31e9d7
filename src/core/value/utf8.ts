/** Length of a text in UTF-8, in bytes. An unpaired surrogate counts as U+FFFD, which replaces it: three bytes. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 2;
    // A pair takes four bytes, two per half.
    else bytes += isPaired(text, i, unit) ? 1 : 2;
  }
  return bytes;
}

/** Whether the surrogate at `i` is half of a pair. */
function isPaired(text: string, i: number, unit: number): boolean {
  return unit < 0xdc00 ? text.charCodeAt(i + 1) >> 10 === 0x37 : i > 0 && text.charCodeAt(i - 1) >> 10 === 0x36;
}
