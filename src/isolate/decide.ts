import { parseJson } from '../json/text.ts';
import { isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { type Script, ScriptError, type ScriptErrorReason } from '../lua/script.ts';
import { decide, type Verdict, type Write } from '../rewrite/decide.ts';
import { createRewriter, RewriteFailed, type Rewriter } from '../rewrite/rewriter.ts';

/** A verdict, and the script that failed on the way to it, if one did: a verdict's message is for people. */
export type Judged = { readonly verdict: Verdict; readonly failure?: ScriptFailure };

/** A script by its name, and why it failed. */
export type ScriptFailure = { readonly script: string; readonly reason: ScriptErrorReason };

/** Decides a write, and takes note of a script that fails. */
export function judge(write: Write, rewriter: Rewriter): Judged {
  let failure: ScriptFailure | undefined;
  const verdict = decide(write, {
    ...rewriter,
    rewrite(object, original, directives, onFailure) {
      try {
        return rewriter.rewrite(object, original, directives, onFailure);
      } catch (error) {
        if (error instanceof RewriteFailed && error.cause instanceof ScriptError) {
          failure = { script: error.cause.script, reason: error.cause.reason };
        }
        throw error;
      }
    },
  });
  return failure === undefined ? { verdict } : { verdict, failure };
}

/** Writes what {@link runDecide} reads, without loss. */
export function decideInput(write: Write, scripts: readonly Script[]): string {
  const { naming, ...rest } = write;
  return JSON.stringify({
    write: naming === undefined ? rest : { ...rest, naming: Object.fromEntries(naming) },
    scripts,
  });
}

/**
 * The job `decide`: `{write, scripts}` → {@link Judged}, both as JSON. Each job has a memory of its own, so that no
 * script leaves anything behind.
 */
export function runDecide(input: string, scriptOf: (json: Json | undefined) => Script): string {
  const request = parseJson(input);
  const listed = member(request, 'scripts');
  const scripts = (isList(listed) ? listed : []).map(scriptOf);
  const byHash = new Map(scripts.map((script) => [script.hash, script]));
  return JSON.stringify(
    judge(
      writeOf(member(request, 'write')),
      createRewriter((hash) => byHash.get(hash)),
    ),
  );
}

function writeOf(value: Json | undefined): Write {
  const [incoming, live] = [mapAt(value, 'incoming'), mapAt(value, 'live')];
  const operation = stringAt(value, 'operation');
  const fieldManager = stringAt(value, 'fieldManager');
  const naming = mapAt(value, 'naming');
  if (incoming === undefined || (operation !== 'CREATE' && operation !== 'UPDATE')) {
    throw new TypeError('decide needs a write with its operation and the incoming object');
  }
  return {
    operation,
    incoming,
    byController: member(value, 'byController') === true,
    ...(live === undefined ? {} : { live }),
    ...(fieldManager === undefined ? {} : { fieldManager }),
    ...(naming === undefined
      ? {}
      : { naming: new Map(Object.entries(naming).map(([key, text]) => [key, String(text)])) }),
  };
}

function mapAt(value: Json | undefined, key: string): JsonMap | undefined {
  const found = member(value, key);
  return isMap(found) ? found : undefined;
}
