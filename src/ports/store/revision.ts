/** A revision of an execution: another one after each checkpoint, and after each event that its inbox has accepted. */
export interface Revision {
  readonly seq: number;
  readonly inboxSeq: number;
}

/** Whether a change that expects one of these revisions may be made at the given one. */
export function isExpected({ seq, inboxSeq }: Revision, expected: readonly Revision[] | undefined): boolean {
  return expected === undefined || expected.some((each) => each.seq === seq && each.inboxSeq === inboxSeq);
}
