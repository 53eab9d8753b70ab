import { type JsonMap, stringAt } from '../json/value.ts';
import { type Script, ScriptError } from '../lua/script.ts';
import type { Declared } from './declared.ts';
import { type Directive, decodeDirective, InvalidDirective, ownerText } from './directive.ts';
import { rewriteGateway } from './gateway.ts';
import { createMemo, type Memo } from './memo.ts';
import { decodeOriginal, type Original, originalText } from './original.ts';
import { asItself, type SourceOf, through } from './provenance.ts';
import { rewriteService } from './service.ts';
import { rewriteDeployment } from './workload.ts';

/** Identity of the object that is rewritten, as scripts see it in `obj.object`. */
export type ObjectName = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
};

/** The script with this content hash; undefined when it is certain that there is none (any more). */
export type ScriptSource = (hash: string) => Script | undefined;

/** The outcome of a rewrite. */
export type Rewritten = {
  readonly declared: Declared;
  /** The value of the original that a list element or map of the result came from; undefined for the rewrite's own. */
  readonly sourceOf: SourceOf;
  /** Directives that were left out because they failed; only when the caller asked to go on. */
  readonly failures: readonly RewriteFailed[];
};

/** A directive could not be carried out: its text is no directive, its script is gone, or the script failed. */
export class RewriteFailed extends Error {
  readonly directiveKey: string;
  constructor(directiveKey: string, directive: Directive | undefined, cause: InvalidDirective | ScriptError) {
    const where = directive === undefined ? '' : `${rolloutName(directive)}, step ${directive.step}: `;
    super(where + cause.message, { cause });
    this.name = 'RewriteFailed';
    this.directiveKey = directiveKey;
  }
}

/** `T` of design §3: original and directives in, the object's declared part out. Pure; remembers recent answers. */
export type Rewriter = {
  /** @throws CorruptOriginal */
  readonly original: (text: string) => Original;
  /**
   * The value that {@link original} gives for this original once it is written down, so that a script sees the very same
   * thing now and later; remembered for later rewrites.
   */
  readonly interned: (declared: Declared, apiVersion: string) => Declared;
  /**
   * Applies the directives in the order of their keys.
   * @throws RewriteFailed for the first that fails, unless `onFailure` is `skip`.
   */
  readonly rewrite: (
    object: ObjectName,
    original: Declared,
    directives: ReadonlyMap<string, string>,
    onFailure: 'throw' | 'skip',
  ) => Rewritten;
};

/** @param memoBytes how much text of originals may be remembered; 0 remembers nothing (for measuring). */
export function createRewriter(scripts: ScriptSource, memoBytes = 32 * 1024 * 1024): Rewriter {
  const memo = createMemo(memoBytes);
  return {
    original: (text) => memo.original(text, decodeOriginal),
    // Most writes leave the original as it is: writing it out to find it again would cost more than all the rest.
    interned: (declared, apiVersion) =>
      memo.knows(declared) ? declared : memo.original(originalText(declared, apiVersion), decodeOriginal).declared,
    rewrite: (object, original, directives, onFailure) =>
      remembered(memo, object, original, directives, onFailure, scripts),
  };
}

function remembered(
  memo: Memo,
  object: ObjectName,
  original: Declared,
  directives: ReadonlyMap<string, string>,
  onFailure: 'throw' | 'skip',
  scripts: ScriptSource,
): Rewritten {
  const key = memoKey(object, directives);
  const known = memo.result(original, key);
  if (known !== undefined) return known;
  const result = rewriteAll(object, original, directives, onFailure, scripts);
  // A failure is not remembered: a script that was missing may be there the next time.
  if (result.failures.length === 0) memo.remember(original, key, result);
  return result;
}

function memoKey({ apiVersion, kind, namespace, name }: ObjectName, directives: ReadonlyMap<string, string>): string {
  return JSON.stringify([apiVersion, kind, namespace, name, ...directives.keys(), ...directives.values()]);
}

function rewriteAll(
  object: ObjectName,
  original: Declared,
  directives: ReadonlyMap<string, string>,
  onFailure: 'throw' | 'skip',
  scripts: ScriptSource,
): Rewritten {
  const failures: RewriteFailed[] = [];
  let declared = original;
  let sourceOf = asItself;
  for (const [key, text] of directives) {
    try {
      const step = rewriteOne(object, declared, key, text, scripts);
      sourceOf = through(sourceOf, step.sourceOf);
      declared = step.declared;
    } catch (error) {
      if (!(error instanceof RewriteFailed) || onFailure === 'throw') throw error;
      failures.push(error);
    }
  }
  return { declared, sourceOf, failures };
}

function rewriteOne(
  object: ObjectName,
  original: Declared,
  key: string,
  text: string,
  scripts: ScriptSource,
): Rewritten {
  let directive: Directive | undefined;
  try {
    directive = decodeDirective(key, text);
    const { action } = directive;
    switch (action.type) {
      case 'armed':
        return { declared: original, sourceOf: asItself, failures: [] };
      case 'service':
        return { declared: rewriteService(original, action), sourceOf: asItself, failures: [] };
      case 'workload':
        return { declared: rewriteDeployment(original, action), sourceOf: asItself, failures: [] };
      case 'gateway':
        return rewriteGateway(original, directive, action, object, scriptFor(action.script, scripts));
    }
  } catch (error) {
    if (error instanceof InvalidDirective || error instanceof ScriptError)
      throw new RewriteFailed(key, directive, error);
    throw error;
  }
}

function scriptFor({ name, hash }: { name: string; hash: string }, scripts: ScriptSource): Script {
  const script = scripts(hash);
  if (script !== undefined) return script;
  throw new ScriptError(name, undefined, 'runtime', `the script with hash ${hash} is stored nowhere any more`);
}

/** `Rollout namespace/name`, for messages. */
export function rolloutName({ rollout }: Directive): string {
  return ownerText(rollout);
}

/** Name and kind of an object from its own fields. */
export function objectName(object: JsonMap): ObjectName {
  return {
    apiVersion: stringAt(object, 'apiVersion') ?? '',
    kind: stringAt(object, 'kind') ?? '',
    namespace: stringAt(object, 'metadata', 'namespace') ?? '',
    name: stringAt(object, 'metadata', 'name') ?? '',
  };
}
