/** Keys of the tokens that can still call an execution back, so that a key is removed only once nothing waits under it. */
export const callbackKeysSchema: string = `
-- A JSON list of ids of keys, sorted; null for nearly all.
ALTER TABLE execution ADD COLUMN callback_keys TEXT;
CREATE INDEX execution_callback_keys ON execution (callback_keys, slot) WHERE callback_keys IS NOT NULL;
`;
