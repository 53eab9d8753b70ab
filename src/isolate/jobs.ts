import { jsonText, parseJson } from '../json/text.ts';
import { isMap, type Json, member, stringAt } from '../json/value.ts';
import { checkScript, runScript } from '../lua/run.ts';
import type { Script } from '../lua/script.ts';
import { runDecide } from './decide.ts';

/** A pure function of text. It runs in a thread that may be stopped at any moment. */
export type Job = (input: string) => string;

/** All jobs that a thread can run, by their names. */
export const JOBS: Readonly<Record<string, Job>> = {
  /** `{script, obj}` → what the script returns. */
  runScript: (input) => {
    const request = parseJson(input);
    const obj = member(request, 'obj');
    if (!isMap(obj)) throw new TypeError('runScript needs a map as obj');
    return jsonText(runScript(scriptOf(member(request, 'script')), obj).value);
  },
  /** A script → nothing, where it and its modules compile. */
  compile: (input) => {
    checkScript(scriptOf(parseJson(input)));
    return '';
  },
  /** `{write, scripts}` → the verdict on an admission. */
  decide: (input) => runDecide(input, scriptOf),
};

/** Reads a script that was written as JSON. */
export function scriptOf(json: Json | undefined): Script {
  const modules = member(json, 'modules');
  const texts = Object.entries(isMap(modules) ? modules : {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  const [name, text, hash] = [stringAt(json, 'name'), stringAt(json, 'text'), stringAt(json, 'hash')];
  if (name === undefined || text === undefined || hash === undefined) throw new TypeError('this is no script');
  return { name, text, hash, modules: Object.fromEntries(texts) };
}
