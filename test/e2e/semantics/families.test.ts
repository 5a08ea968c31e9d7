/** Executions that start others, on the embedded store. */
import { familyPlays } from '../stage/family-plays.ts';
import { openStage } from '../stage/stage.ts';

familyPlays(openStage());
