import { decideInput, type Judged } from '../isolate/decide.ts';
import { type Isolate, IsolateBusy } from '../isolate/isolate.ts';
import { parseJson } from '../json/text.ts';
import type { Script } from '../lua/script.ts';
import type { Write } from '../rewrite/decide.ts';
import { Unavailable } from './inventory.ts';

/**
 * Judges a write where a script that never ends can be stopped from outside.
 * @throws ScriptError for a script that was stopped, {@link Unavailable} when too much waits already.
 */
export type IsolatedDecide = (write: Write, scripts: readonly Script[]) => Promise<Judged>;

/** Judges in the threads of an isolate. */
export function decideIn(isolate: Isolate): IsolatedDecide {
  return async (write, scripts) => {
    try {
      return parseJson(await isolate.run('decide', decideInput(write, scripts))) as Judged; // the job's own output
    } catch (error) {
      if (!(error instanceof IsolateBusy)) throw error;
      throw new Unavailable(`too many writes wait for a user's script: ${error.message}; try again`);
    }
  };
}
