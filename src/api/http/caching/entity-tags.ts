import type { Revision } from '../../../ports/store/revision.ts';
import { ApiError } from '../failure.ts';

/** The strong entity tag of a revision of an execution (RFC 9110, 8.8.3). */
export function etagOf({ seq, inboxSeq }: Revision): string {
  return `"${String(seq)}.${String(inboxSeq)}"`;
}

/** A condition of a request: `any` holds for whatever exists, otherwise one of the revisions must be the current one. */
export type Condition = 'any' | readonly Revision[];

/**
 * Reads `If-None-Match`, whose tags are compared weakly, so that a `W/` that a proxy has added does not matter. Undefined without the
 * header.
 *
 * @throws ApiError `invalid_request` if it is neither `*` nor a list of entity tags.
 */
export function ifNoneMatch(header: string | undefined): Condition | undefined {
  return header === undefined ? undefined : conditionOf('If-None-Match', header, true);
}

/**
 * Reads `If-Match`, whose tags are compared strongly: a tag with `W/` matches nothing. Undefined without the header.
 *
 * @throws ApiError as {@link ifNoneMatch}.
 */
export function ifMatch(header: string | undefined): Condition | undefined {
  return header === undefined ? undefined : conditionOf('If-Match', header, false);
}

/** Whether a condition holds for the revision of an execution that exists. */
export function holdsFor(condition: Condition | undefined, { seq, inboxSeq }: Revision): boolean {
  if (condition === undefined) return false;
  return condition === 'any' || condition.some((each) => each.seq === seq && each.inboxSeq === inboxSeq);
}

const listForm =
  /^[\t ]*(?:,[\t ]*)*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"[\t ]*(?:,[\t ]*(?:(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"[\t ]*)?)*$/;
const tagForm = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/g;
const ownForm = /^(\d{1,15})\.(\d{1,15})$/;

function conditionOf(name: string, header: string, isWeak: boolean): Condition {
  if (header.trim() === '*') return 'any';
  if (!listForm.test(header)) {
    throw new ApiError('invalid_request', `${name}: Must be * or a list of entity tags, like "12.3", "12.4".`);
  }
  const revisions: Revision[] = [];
  for (const [, weak, text = ''] of header.matchAll(tagForm)) {
    // A tag that this server does not make is one that no execution has.
    const [, seq, inboxSeq] = ownForm.exec(text) ?? [];
    if (seq === undefined || inboxSeq === undefined || (weak !== undefined && !isWeak)) continue;
    revisions.push({ seq: Number(seq), inboxSeq: Number(inboxSeq) });
  }
  return revisions;
}
