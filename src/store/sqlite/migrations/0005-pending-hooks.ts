/**
 * Lists and counts of executions that are over and whose hook is still to be delivered, and lists of those whose hook was given
 * up. Each has an index of its own, as its rows are few.
 */
export const pendingHooksSchema: string = `
CREATE INDEX execution_hook_pending ON execution (id, slot) WHERE due_at IS NOT NULL AND completed_at IS NOT NULL;
CREATE INDEX execution_hook_failed ON execution (id)
  WHERE callback_warning IS NOT NULL AND due_at IS NULL AND completed_at IS NOT NULL;
`;
