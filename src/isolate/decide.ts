import { jsonText, parseJson } from '../json/text.ts';
import { isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import type { Script } from '../lua/script.ts';
import { decide, type Write } from '../rewrite/decide.ts';
import { createRewriter } from '../rewrite/rewriter.ts';

/** Writes what {@link runDecide} reads. The objects are written without loss: see `src/json`. */
export function decideInput(write: Write, scripts: readonly Script[]): string {
  return JSON.stringify({ write, scripts });
}

/**
 * The job `decide`: `{write, scripts}` → the verdict, as JSON. Nothing is remembered between jobs, so a script cannot
 * leave anything behind.
 */
export function runDecide(input: string, scriptOf: (json: Json | undefined) => Script): string {
  const request = parseJson(input);
  const listed = member(request, 'scripts');
  const scripts = (isList(listed) ? listed : []).map(scriptOf);
  const byHash = new Map(scripts.map((script) => [script.hash, script]));
  const rewriter = createRewriter((hash) => byHash.get(hash), 0);
  return jsonText(decide(writeOf(member(request, 'write')), rewriter) as Json);
}

function writeOf(value: Json | undefined): Write {
  const [incoming, live] = [mapAt(value, 'incoming'), mapAt(value, 'live')];
  const operation = stringAt(value, 'operation');
  const fieldManager = stringAt(value, 'fieldManager');
  if (incoming === undefined || (operation !== 'CREATE' && operation !== 'UPDATE')) {
    throw new TypeError('decide needs a write with its operation and the incoming object');
  }
  return {
    operation,
    incoming,
    byController: member(value, 'byController') === true,
    ...(live === undefined ? {} : { live }),
    ...(fieldManager === undefined ? {} : { fieldManager }),
  };
}

function mapAt(value: Json | undefined, key: string): JsonMap | undefined {
  const found = member(value, key);
  return isMap(found) ? found : undefined;
}
