import { ANNOTATIONS } from '../../src/api/names.ts';
import { threeWay } from '../../src/cli/demo/three-way.ts';
import { equal } from '../../src/json/equal.ts';
import type { Json, JsonMap } from '../../src/json/value.ts';
import { declaredOf, isWorkload, scopeOf } from '../../src/rewrite/declared.ts';
import { type Action, directiveKey, encodeDirective, FORMAT } from '../../src/rewrite/directive.ts';
import { decodeOriginal } from '../../src/rewrite/original.ts';
import { ownOf } from '../../src/rewrite/own-keys.ts';
import { objectName, type Rewriter } from '../../src/rewrite/rewriter.ts';
import { covers, fieldsOf, leafPaths, type Schema, valueAt, withPath } from '../api-server/fields.ts';
import { Conflict, mergesNothing, SimulatedApiServer } from '../api-server/simulated.ts';
import type { Edit, Kind } from './kinds.ts';

/** How the user's source gets into the cluster. */
export type Tool = 'client-side apply' | 'server-side apply' | 'forced server-side apply' | 'replace';

const MANAGER = 'argo';

/** The text of the directive that the controller writes for this step. */
export function directiveText(action: Action, step: number, rollout = 'web', continues = false): string {
  return encodeDirective({
    format: FORMAT,
    rollout: { namespace: 'shop', name: rollout, uid: 'u-1' },
    revision: 'r2',
    step,
    continues,
    action,
  });
}

/**
 * One object with its user, in a release: what the user's source says, and what the object should be without a release
 * (`expected`), kept by the plain rules of the tools alone, without any knowledge of the rewrite.
 */
export class Release {
  readonly server: SimulatedApiServer;
  readonly rewriter: Rewriter;
  readonly tool: Tool;
  source: JsonMap;
  expected: JsonMap;
  directives = new Map<string, string>();
  readonly log: string[] = [];
  readonly #schema: Schema;

  constructor(kind: Kind, rewriter: Rewriter, tool: Tool, source: JsonMap) {
    this.server = new SimulatedApiServer(rewriter, kind.schema);
    this.#schema = kind.schema;
    this.rewriter = rewriter;
    this.tool = tool;
    this.source = source;
    this.expected = source;
    if (tool === 'client-side apply') this.server.applyClientSide(source);
    else if (tool === 'replace') this.server.create(source);
    else this.server.applyServerSide(source, MANAGER, false);
  }

  /** The controller moves the release on, or ends it. */
  step(action: Action | undefined, step: number, rollout = 'web'): void {
    this.log.push(`step ${step} of ${rollout} ${JSON.stringify(action)}`);
    const key = directiveKey(rollout);
    const text = action === undefined ? undefined : directiveText(action, step, rollout, this.directives.has(key));
    if (text === undefined) this.directives.delete(key);
    else this.directives.set(key, text);
    this.directives = new Map([...this.directives].sort(([a], [b]) => (a < b ? -1 : 1)));
    this.server.patchAsController(key, text);
  }

  /** The user applies their source again, as it is or with an edit. */
  apply(edit?: Edit): void {
    const before = this.source;
    this.source = edit?.apply(before) ?? before;
    this.log.push(`${this.tool} ${edit?.name ?? 'unchanged'} ${JSON.stringify(this.source)}`);
    switch (this.tool) {
      case 'client-side apply':
        this.server.applyClientSide(this.source);
        this.expected = threeWay(annotated(before), annotated(this.source), annotated(this.expected)) as JsonMap;
        return;
      case 'replace':
        this.server.replace(this.source);
        this.expected = this.source;
        return;
      default:
        this.#applyServerSide();
        this.expected = mergedFields(before, this.source, this.expected, this.#schema);
    }
  }

  /** Without force, the owner of a field that somebody edited by hand meets a conflict, as without a release. */
  #applyServerSide(): void {
    try {
      this.server.applyServerSide(this.source, MANAGER, this.tool === 'forced server-side apply');
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      this.log.push(`conflict on ${error.message}, forced`);
      this.server.applyServerSide(this.source, MANAGER, true);
    }
  }

  /** Somebody edits the rewritten view. Says whether the edit applied to both the view and the user's object. */
  editByHand(edit: Edit): boolean {
    const expected = edit.apply(this.expected);
    if (expected === undefined || edit.apply(this.server.live ?? {}) === undefined) return false;
    this.log.push(`by hand ${edit.name}`);
    this.server.edit((live) => edit.apply(live) ?? live);
    this.expected = expected;
    return true;
  }

  /** What is wrong with the stored object: empty when original, rewritten view and expectation agree. */
  problems(): string[] {
    const live = this.server.live ?? {};
    const scope = scopeOf(live);
    const expected = declaredOf(this.#defaulted(this.expected), scope);
    const stored = declaredOf(live, scope);
    const text = valueAt(live, ['metadata', 'annotations', ANNOTATIONS.original]);
    const problems: string[] = [];
    const compare = (what: string, wanted: Json, found: Json) => {
      if (!equal(wanted, found))
        problems.push(`${what}\n  wanted ${JSON.stringify(wanted)}\n  found  ${JSON.stringify(found)}`);
    };
    if (this.directives.size === 0) {
      compare('the restored object', expected as Json, stored as Json);
      if (text !== undefined) problems.push('the original annotation is still there');
      return problems;
    }
    if (typeof text !== 'string') return ['there is no original'];
    compare('the original', expected as Json, decodeOriginal(text).declared as Json);
    // What a new pod template makes of a workload's directive has tests of its own.
    const directives = isWorkload(live) ? ownOf(live).directives : this.directives;
    const view = this.rewriter.rewrite(objectName(live), expected, directives, 'throw').declared;
    compare('the rewritten view', view as Json, stored as Json);
    const outside = this.#outsideOfScope(live);
    compare('what no rewrite touches', this.#outsideOfScope(this.#defaulted(this.expected)), outside);
    return problems;
  }

  #defaulted(object: JsonMap): JsonMap {
    return this.#schema.defaulted?.(object) ?? object;
  }

  #outsideOfScope(object: JsonMap): Json {
    const { specKeys, metadata } = scopeOf(object);
    if (specKeys === 'all' || metadata) return null;
    const spec = valueAt(object, ['spec']) as JsonMap;
    const rest = Object.fromEntries(Object.entries(spec).filter(([key]) => !specKeys.includes(key)));
    return { spec: rest, labels: valueAt(object, ['metadata', 'labels']) ?? {} };
  }

  story(): string {
    return [...this.log, ...this.problems()].join('\n');
  }
}

/** Server-side apply by a single owner: the fields that the source names are set as a whole, those it gave up go. */
function mergedFields(before: JsonMap, source: JsonMap, expected: JsonMap, schema: Schema): JsonMap {
  const wanted = leafPaths(fieldsOf(source, schema));
  const givenUp = leafPaths(fieldsOf(before, schema)).filter((path) => !covers(wanted, path));
  let result = expected;
  for (const path of wanted) {
    if (mergesNothing(valueAt(source, path), valueAt(result, path), path, schema)) continue;
    result = withPath(result, path, valueAt(source, path));
  }
  for (const path of givenUp) result = withPath(result, path, undefined);
  return result;
}

/** kubectl adds its record before it compares, so the source always has annotations. */
function annotated(object: JsonMap): JsonMap {
  return withPath(object, ['metadata', 'annotations', ANNOTATIONS.lastApplied], '');
}
