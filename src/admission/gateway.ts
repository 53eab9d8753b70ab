import { type Judged, judge } from '../isolate/decide.ts';
import type { JsonMap } from '../json/value.ts';
import type { Library } from '../lua/library.ts';
import { ScriptError } from '../lua/script.ts';
import { scriptHashesOf, type Write } from '../rewrite/decide.ts';
import { decodeDirective, InvalidDirective } from '../rewrite/directive.ts';
import { isCompressed } from '../rewrite/original.ts';
import { ownOf } from '../rewrite/own-keys.ts';
import { createRewriter, type Rewriter } from '../rewrite/rewriter.ts';
import { type About, type Answer, allow, deny, fail, patch } from './answer.ts';
import { type Inventory, scriptsByHash, Unavailable } from './inventory.ts';
import type { IsolatedDecide } from './isolated.ts';
import type { AdmissionRequest } from './request.ts';

export type GatewayOptions = {
  /** The shipped scripts: they may run between other requests, since their cost is known. */
  readonly library: Library;
  /** Knows the pinned scripts of users. */
  readonly inventory: Inventory;
  readonly decideIsolated: IsolatedDecide;
  /** Sluice's own controller: `system:serviceaccount:<namespace>:<name>`. */
  readonly controllerUser: string;
  /** Objects up to this size are rewritten between other requests, in bytes of JSON. */
  readonly inlineBytes?: number;
  /** Characters of originals that are remembered with their rewrites; 0 remembers nothing (for measuring). */
  readonly memoCharacters?: number;
};

const INLINE_BYTES = 64 * 1024;
const MEMO_CHARACTERS = 32 * 1024 * 1024;

/**
 * An admission handler that may be told more than the request says: armed directives of Rollouts that name the object,
 * by key (see {@link Write}).
 */
export type RewriteHandler = (request: AdmissionRequest, naming?: Write['naming']) => Answer | Promise<Answer>;

/**
 * Judges writes on objects that take part in a release: gateway objects of any kind, Services, workloads.
 *
 * ```
 *  request ──► write ──► decide here ─────────────────────────────────► allow / patch / deny
 *                             └─ takes a user's script, a script on a large object, or a
 *                                compressed original:
 *                                scripts by hash ──► decide isolated ───► allow / patch / deny
 *                                        └─ not to be had now: fail, try again
 * ```
 */
export function gatewayHandler(options: GatewayOptions): RewriteHandler {
  const { inventory, controllerUser, decideIsolated, inlineBytes = INLINE_BYTES } = options;
  const shipped = scriptsByHash(options.library);
  let mayRun = true;
  const shippedRewriter = createRewriter((hash) => {
    const script = mayRun ? shipped.get(hash) : undefined;
    if (script === undefined) throw new MayNotRunHere();
    return script;
  }, options.memoCharacters ?? MEMO_CHARACTERS);
  const rewriter: Rewriter = {
    ...shippedRewriter,
    original(text) {
      // A few bytes may unfold to megabytes.
      if (isCompressed(text)) throw new MayNotRunHere();
      return shippedRewriter.original(text);
    },
  };

  /** Undefined when it takes a script that may not run here; most writes take none, and never wait for one. */
  function judgeHere(write: Write, isSmall: boolean): Judged | undefined {
    mayRun = isSmall;
    try {
      return judge(write, rewriter);
    } catch (error) {
      if (error instanceof MayNotRunHere) return undefined;
      throw error;
    }
  }

  async function judgeElsewhere(request: AdmissionRequest, write: Write): Promise<Answer> {
    try {
      const hashes = scriptHashesOf(write);
      const scripts = await Promise.all(hashes.map((hash) => shipped.get(hash) ?? inventory.script(hash)));
      const known = scripts.filter((script) => script !== undefined);
      return answerOf(await decideIsolated(write, known), request);
    } catch (error) {
      const about = aboutOf(request);
      if (error instanceof Unavailable) {
        return fail(error.message, { about, retryAfterSeconds: error.retryAfterSeconds });
      }
      // The hard stop: a script that no limit of its own could end.
      if (error instanceof ScriptError) return deny(error.message, { about: { ...about, failedScript: error.script } });
      throw error;
    }
  }

  return (request, naming) => {
    const write = writeOf(request, controllerUser, naming);
    if (write === undefined) return allow();
    const isSmall = request.bytes <= (write.live === undefined ? inlineBytes : 2 * inlineBytes);
    const judged = judgeHere(write, isSmall);
    return judged === undefined ? judgeElsewhere(request, write) : answerOf(judged, request);
  };
}

/** The write takes work whose cost is not known: a user's script, a large object, a compressed original. */
class MayNotRunHere extends Error {}

/** The write that a request asks about; undefined for what is never rewritten: deletions, subresources. */
function writeOf(request: AdmissionRequest, controllerUser: string, naming: Write['naming']): Write | undefined {
  const { operation, object, oldObject, fieldManager, subresource } = request;
  if (object === undefined || subresource !== '' || (operation !== 'CREATE' && operation !== 'UPDATE'))
    return undefined;
  return {
    operation,
    incoming: object,
    byController: request.user.name === controllerUser,
    ...(oldObject === undefined ? {} : { live: oldObject }),
    ...(fieldManager === undefined ? {} : { fieldManager }),
    ...(naming === undefined ? {} : { naming }),
  };
}

function answerOf({ verdict, failure }: Judged, request: AdmissionRequest): Answer {
  const about = failure === undefined ? aboutOf(request) : { ...aboutOf(request), failedScript: failure.script };
  switch (verdict.verdict) {
    case 'untouched':
      return allow({ warnings: verdict.warnings, about });
    case 'rewritten':
      return patch(verdict.operations, { warnings: verdict.warnings, about });
    case 'denied':
      return deny(verdict.message, { about });
  }
}

/** For the log: the Rollouts that take part, and the step of the first. */
function aboutOf({ object, oldObject }: AdmissionRequest): About {
  const directives = [...directivesOf(object, oldObject)].map(([key, text]) => aboutDirective(key, text));
  const [first] = directives;
  if (first === undefined || directives.length === 1) return first ?? {};
  return { ...first, rollout: directives.map(({ rollout }) => rollout).join(',') };
}

/** What directives say to the log, by their text: a release writes the same one many times. */
const abouts = new Map<string, About>();
const ABOUTS = 1000;
const ABOUT_CHARACTERS = 4096;

function aboutDirective(key: string, text: string): About {
  const known = abouts.get(text);
  if (known !== undefined) return known;
  try {
    const { rollout, step } = decodeDirective(key, text);
    const about = { rollout: `${rollout.namespace}/${rollout.name}`, step };
    if (abouts.size >= ABOUTS) abouts.clear();
    if (text.length <= ABOUT_CHARACTERS) abouts.set(text, about);
    return about;
  } catch (error) {
    // Whether such a directive is allowed is `decide`'s to say; the log names its key.
    if (!(error instanceof InvalidDirective)) throw error;
    return { rollout: key };
  }
}

function directivesOf(object: JsonMap | undefined, oldObject: JsonMap | undefined): ReadonlyMap<string, string> {
  const { directives } = ownOf(object);
  return directives.size > 0 ? directives : ownOf(oldObject).directives;
}
