/** The columns of `step`, as `s`, that are read with the text of a row; see `StepText`. */
export const stepTextColumns: string =
  's.ord, s.round, s.node_id AS nodeId, s.visit, s.scope, s.effect, s.undo, s.undo_rank AS undoRank, s.undo_sort AS undoSort, s.row';
