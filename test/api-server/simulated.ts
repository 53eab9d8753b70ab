import { applyPatch } from 'rfc6902';
import { ANNOTATIONS } from '../../src/api/names.ts';
import { threeWay } from '../../src/cli/demo/three-way.ts';
import { equal } from '../../src/json/equal.ts';
import { parseJson } from '../../src/json/text.ts';
import { isMap, type Json, type JsonMap } from '../../src/json/value.ts';
import { decide, type Write } from '../../src/rewrite/decide.ts';
import type { Operation } from '../../src/rewrite/operations.ts';
import type { Rewriter } from '../../src/rewrite/rewriter.ts';
import {
  changedPaths,
  covers,
  type Fields,
  fieldsOf,
  fromPaths,
  hasPath,
  leafPaths,
  type Schema,
  valueAt,
  withPath,
} from './fields.ts';

/** A mutating webhook of somebody else; called before or after ours, by the order of names. */
export type ForeignWebhook = { readonly order: 'before' | 'after'; readonly mutate: (object: JsonMap) => JsonMap };

export class Denied extends Error {}
export class Conflict extends Error {}

type Manager = { manager: string; operation: 'Apply' | 'Update'; fields: string[][] };

/**
 * One object in an API server, as far as admission and field ownership go: client-side apply (three-way JSON merge patch),
 * server-side apply with `managedFields` and conflicts, replace, patches by hand, the controller's annotation patch,
 * webhooks of others around ours and the reinvocation when one after ours changed the object. The rules are those of
 * k8s.io/apimachinery (managedfields, jsonmergepatch) and of the mutating dispatcher.
 */
export class SimulatedApiServer {
  live: JsonMap | undefined;
  /** What our webhook said in its last call. */
  warnings: readonly string[] = [];
  /** True while our webhook cannot be reached and its failure policy lets writes pass. */
  bypassed = false;
  foreign: readonly ForeignWebhook[] = [];
  readonly #rewriter: Rewriter;
  readonly #schema: Schema;
  #managers: Manager[] = [];

  constructor(rewriter: Rewriter, schema: Schema) {
    this.#rewriter = rewriter;
    this.#schema = schema;
  }

  create(manifest: JsonMap, manager = 'kubectl-create'): void {
    this.#managers = [{ manager, operation: 'Update', fields: leafPaths(fieldsOf(manifest, this.#schema)) }];
    this.live = this.#admit({ operation: 'CREATE', incoming: manifest, byController: false, fieldManager: manager });
  }

  /** `kubectl apply`: what last-applied had and the source lacks goes, what the source says is set, the rest stays. */
  applyClientSide(source: JsonMap, dryRun = false): JsonMap {
    const annotated = withPath(source, ['metadata', 'annotations', ANNOTATIONS.lastApplied], JSON.stringify(source));
    if (this.live === undefined) {
      this.create(annotated, 'kubectl-client-side-apply');
      return this.live ?? {};
    }
    const lastText = valueAt(this.live, ['metadata', 'annotations', ANNOTATIONS.lastApplied]);
    const last = typeof lastText === 'string' ? (JSON.parse(lastText) as JsonMap) : {};
    const incoming = threeWay(last, annotated, this.live) as JsonMap;
    return this.#write(incoming, 'kubectl-client-side-apply', 'Update', dryRun);
  }

  /** `kubectl apply --server-side`: @throws Conflict when another manager owns a field with another value. */
  applyServerSide(source: JsonMap, manager: string, force: boolean, dryRun = false): JsonMap {
    if (this.live === undefined) {
      this.#managers = [{ manager, operation: 'Apply', fields: leafPaths(fieldsOf(source, this.#schema)) }];
      this.live = this.#admit({ operation: 'CREATE', incoming: source, byController: false, fieldManager: manager });
      return this.live;
    }
    const { live } = this;
    const wanted = leafPaths(fieldsOf(source, this.#schema));
    const mine = this.#managers.find((entry) => entry.manager === manager && entry.operation === 'Apply');
    const others = this.#managers.filter((entry) => entry !== mine);
    let incoming = live;
    for (const path of wanted) {
      const value = valueAt(source, path);
      if (mergesNothing(value, valueAt(live, path), path, this.#schema)) continue;
      const differs = JSON.stringify(valueAt(live, path)) !== JSON.stringify(value);
      if (differs && others.some((entry) => hasPath(entry.fields, path))) {
        if (!force) throw new Conflict(path.join('.'));
        for (const entry of others) entry.fields = entry.fields.filter((field) => !hasPath([field], path));
      }
      incoming = withPath(incoming, path, value);
    }
    for (const path of mine?.fields ?? []) {
      const kept = covers(wanted, path) || others.some((entry) => hasPath(entry.fields, path));
      if (!kept) incoming = withPath(incoming, path, undefined);
    }
    const managers = [...others, { manager, operation: 'Apply' as const, fields: wanted }];
    return this.#store(incoming, manager, managers, dryRun);
  }

  /** `kubectl replace`: the whole object is what the file says; the server keeps only what it owns itself. */
  replace(source: JsonMap): void {
    this.#write(source, 'kubectl-replace', 'Update', false);
  }

  /** Any change by hand (`kubectl edit`, `kubectl patch`) of the object as it is now. */
  edit(change: (live: JsonMap) => JsonMap): void {
    this.#write(change(this.#existing()), 'kubectl-edit', 'Update', false);
  }

  /** The controller's merge patch of one annotation. */
  patchAsController(annotation: string, value: string | undefined): void {
    const incoming = withPath(this.#existing(), ['metadata', 'annotations', annotation], value);
    this.#write(incoming, 'sluice-controller', 'Update', false, true);
  }

  /** The field managers that own the path or something in it, besides those in `except`. */
  ownersOf(path: readonly string[], except: readonly string[] = []): string[] {
    const below = (field: readonly string[]) => path.every((key, i) => field[i] === key);
    return this.#managers
      .filter((entry) => entry.fields.some(below) && !except.includes(entry.manager))
      .map((entry) => entry.manager);
  }

  #existing(): JsonMap {
    if (this.live === undefined) throw new Error('the object does not exist');
    return this.live;
  }

  #write(incoming: JsonMap, manager: string, operation: 'Update', dryRun: boolean, byController = false): JsonMap {
    const changed = changedPaths(this.#existing(), incoming, this.#schema);
    const present = changed.filter((path) => valueAt(incoming, path) !== undefined);
    const managers = this.#managers.map((entry) => ({
      ...entry,
      fields: entry.fields.filter((field) => !hasPath(changed, field)),
    }));
    const mine = managers.find((entry) => entry.manager === manager && entry.operation === operation);
    if (mine === undefined) managers.push({ manager, operation, fields: present });
    else mine.fields.push(...present);
    return this.#store(incoming, manager, managers, dryRun, byController);
  }

  #store(incoming: JsonMap, manager: string, managers: Manager[], dryRun: boolean, byController = false): JsonMap {
    const object = withPath(incoming, ['metadata', 'managedFields'], managers.map(entryOf));
    const live = withPath(this.#existing(), ['metadata', 'managedFields'], this.#managers.map(entryOf));
    const stored = this.#admit({ operation: 'UPDATE', incoming: object, live, byController, fieldManager: manager });
    if (dryRun) return stored;
    this.live = stored;
    this.#managers = managers.map((entry) => ({
      ...entry,
      fields: entry.fields.filter((field) => valueAt(stored, field) !== undefined),
    }));
    return stored;
  }

  #admit(write: Write): JsonMap {
    let object = this.#defaulted(write.incoming);
    for (const webhook of this.foreign) if (webhook.order === 'before') object = webhook.mutate(object);
    object = this.#ours({ ...write, incoming: object });
    const ours = object;
    for (const webhook of this.foreign) if (webhook.order === 'after') object = webhook.mutate(object);
    // Reinvocation: ours is asked again when a webhook after it changed the object.
    if (!equal(ours, object)) object = this.#ours({ ...write, incoming: object });
    return withPath(this.#defaulted(object), ['metadata', 'managedFields'], undefined);
  }

  #defaulted(object: JsonMap): JsonMap {
    return this.#schema.defaulted?.(object) ?? object;
  }

  #ours(write: Write): JsonMap {
    if (this.bypassed) return write.incoming;
    const verdict = decide(write, this.#rewriter);
    if (verdict.verdict === 'denied') throw new Denied(verdict.message);
    this.warnings = verdict.warnings;
    return verdict.verdict === 'untouched' ? write.incoming : patched(write.incoming, verdict.operations);
  }
}

/** The object with the operations of a patch applied. */
export function patched(object: JsonMap, operations: readonly Operation[]): JsonMap {
  const copy = parseJson(JSON.stringify(object)) as { [key: string]: Json };
  const errors = applyPatch(
    copy,
    operations.map((operation) => parseJson(JSON.stringify(operation)) as never),
  ).filter((error) => error !== null);
  if (errors.length > 0) throw new Error(`the patch does not apply: ${errors.join(', ')}`);
  return copy;
}

/** Applying an empty map to a map that is merged key by key changes nothing. */
export function mergesNothing(
  value: Json | undefined,
  live: Json | undefined,
  path: readonly string[],
  schema: Schema,
): boolean {
  return isMap(value) && isMap(live) && Object.keys(value).length === 0 && !schema.atomicMaps.includes(path.join('.'));
}

function entryOf({ manager, operation, fields }: Manager): JsonMap {
  const fieldsV1: Fields = fromPaths(fields);
  return { manager, operation, fieldsType: 'FieldsV1', fieldsV1: fieldsV1 as JsonMap };
}
