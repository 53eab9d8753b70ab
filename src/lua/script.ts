import { createHash } from 'node:crypto';

/**
 * A script that can run anywhere: its text and the text of every module it requires, named by one hash over all of it.
 * `hash` is the first 32 hex digits of a SHA-256; `name` is what errors show (`networking.istio.io/VirtualService`,
 * `ingress/nginx`, a file name) and is no part of the hash, since it decides nothing.
 */
export type Script = {
  readonly name: string;
  readonly text: string;
  readonly modules: Readonly<Record<string, string>>;
  readonly hash: string;
};

/**
 * Why a script failed: `syntax` (it does not compile), `runtime` (it raised an error), `limit` (it was stopped for what
 * it used, as it would be everywhere), `time` (it was stopped for its CPU time, which a faster or quieter machine may
 * give it), `result` (what it returned is no JSON object).
 */
export type ScriptErrorReason = 'syntax' | 'runtime' | 'limit' | 'time' | 'result';

/** A failure that the script's author can mend. The message starts with the script's name and, where known, the line. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
  readonly script: string;
  readonly line: number | undefined;
  readonly reason: ScriptErrorReason;
  /** What the script gave to `print` before it failed; empty where it ran in another thread. */
  readonly log: readonly string[];

  constructor(
    script: string,
    line: number | undefined,
    reason: ScriptErrorReason,
    message: string,
    log: readonly string[] = [],
  ) {
    super(message);
    this.log = log;
    this.script = script;
    this.line = line;
    this.reason = reason;
  }
}

/** A line of its own in a script: its objects say what can be led to, and lead nothing there themselves. */
const DESTINATIONS = /^--[ \t]*sluice: defines destinations[ \t]*$/m;

/**
 * Whether a script is for objects such as Istio's DestinationRule: they are rewritten before traffic moves, and taken back
 * only when nothing leads to what they define any more. It says so by the line `-- sluice: defines destinations`.
 */
export function definesDestinations({ text }: Script): boolean {
  return DESTINATIONS.test(text);
}

/** `require("weights")`, `require 'weights'`: the only way to name a module, so that a script's modules are known before it runs. */
const REQUIRE = /\brequire\s*\(?\s*(["'])([^"'\n]+)\1/g;

/**
 * Makes a script of a text: picks the modules that it requires, and those that they require, from `availableModules`
 * (name → text). A name that is not available is left out; the script then fails when it reaches that `require`.
 */
export function makeScript(name: string, text: string, availableModules: ReadonlyMap<string, string>): Script {
  const modules: Record<string, string> = {};
  const queue = [text];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const [, , module = ''] of next.matchAll(REQUIRE)) {
      const found = availableModules.get(module);
      if (found === undefined || Object.hasOwn(modules, module)) continue;
      modules[module] = found;
      queue.push(found);
    }
  }
  return { name, text, modules, hash: scriptHash(text, modules) };
}

function scriptHash(text: string, modules: Readonly<Record<string, string>>): string {
  const parts = Object.entries(modules).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([text, ...parts]))
    .digest('hex')
    .slice(0, 32);
}
