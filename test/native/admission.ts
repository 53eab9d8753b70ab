import { ANNOTATIONS } from '../../src/api/names.ts';
import { threeWay } from '../../src/cli/demo/three-way.ts';
import { FIELD_MANAGER } from '../../src/controller/api.ts';
import { equal } from '../../src/json/equal.ts';
import { parseJson } from '../../src/json/text.ts';
import { at, isMap, type JsonMap, stringAt } from '../../src/json/value.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import type { Resource } from '../../src/kube/resource.ts';
import { decide, type Write } from '../../src/rewrite/decide.ts';
import { glanceAt } from '../../src/rewrite/directive.ts';
import type { Operation } from '../../src/rewrite/operations.ts';
import { ownOf } from '../../src/rewrite/own-keys.ts';
import type { Rewriter } from '../../src/rewrite/rewriter.ts';
import { annotation, mapAt, withMembers, withMetadata } from './fields.ts';
import type { Part } from './registry.ts';

/** Who writes: the user as authenticated, and what the request calls its writer. */
export type Requester = { readonly user: string; readonly fieldManager: string };

/** Sluice's own controller. */
export const CONTROLLER: Requester = {
  user: 'system:serviceaccount:sluice-system:sluice-controller',
  fieldManager: FIELD_MANAGER,
};
export const ALICE: Requester = { user: 'alice', fieldManager: 'kubectl' };

export function isController({ user, fieldManager }: Requester): boolean {
  return user === CONTROLLER.user || fieldManager === FIELD_MANAGER;
}

/** One write on its way to the store. */
export type Request = {
  readonly resource: Resource;
  readonly part: Part;
  readonly incoming: JsonMap;
  /** Undefined for a new object. */
  readonly live: JsonMap | undefined;
  readonly by: Requester;
};

/**
 * Another mutating webhook, of somebody else or of Sluice (pods, ReplicaSets), asked about every write and part of an
 * object: it gives the very same object back where it has nothing to do, and throws ApiError to deny.
 */
export type Webhook = (request: Request) => JsonMap;

/**
 * Whether Sluice's webhook is there: `answers`; `fails open`: nobody is asked, and every write passes; `fails shut`: a
 * write that it would have to be asked about is refused.
 */
export type WebhookState = 'answers' | 'fails open' | 'fails shut';

export type Sluice = {
  readonly rewriter: Rewriter;
  readonly state: WebhookState;
  /** Directives of Rollouts that name this Deployment, for a write that changes its template (design §5, first hold). */
  readonly naming: (deployment: JsonMap) => ReadonlyMap<string, string> | undefined;
  readonly warn: (warning: string) => void;
};

/**
 * What admission makes of a write: Sluice's webhook, those of others, and Sluice's again where another one has changed the
 * object after it.
 *
 * @param defaulted what the API server fills in, before each webhook is asked
 * @throws ApiError when a webhook denies the write or cannot be asked
 */
export function admitted(
  request: Request,
  sluice: Sluice | undefined,
  others: readonly Webhook[],
  defaulted: (object: JsonMap) => JsonMap,
): JsonMap {
  const first = sluice === undefined ? request.incoming : rewritten(request, sluice);
  let object = defaulted(first);
  for (const webhook of others) object = defaulted(webhook({ ...request, incoming: object }));
  if (sluice === undefined || equal(object, first)) return object;
  return defaulted(rewritten({ ...request, incoming: object }, sluice));
}

function rewritten(request: Request, sluice: Sluice): JsonMap {
  if (sluice.state === 'fails open') return request.incoming;
  if (sluice.state === 'fails shut') {
    if (!isGuarded(request)) return request.incoming;
    throw new ApiError(500, 'InternalError', 'failed calling webhook "sluice": connection refused');
  }
  const write = writeOf(request, sluice);
  const verdict = decide(write, sluice.rewriter);
  if (verdict.verdict === 'denied')
    throw new ApiError(403, 'Forbidden', `admission webhook "sluice" denied the request: ${verdict.message}`);
  for (const warning of verdict.warnings) sluice.warn(warning);
  if (verdict.verdict === 'untouched') return request.incoming;
  const object = patched(request.incoming, verdict.operations);
  const again = decide({ ...write, incoming: object }, sluice.rewriter);
  const isFixed = again.verdict === 'untouched' || (again.verdict === 'rewritten' && again.operations.length === 0);
  if (!isFixed)
    throw new NoFixedPoint(`asked about its own answer, the webhook gives another: ${JSON.stringify(again)}`);
  return object;
}

/** Sluice's webhook does not agree with itself: a fault of ours, whatever wrote. */
export class NoFixedPoint extends Error {
  override readonly name = 'NoFixedPoint';
}

function writeOf({ incoming, live, by }: Request, { naming }: Sluice): Write {
  const isNewTemplate = live !== undefined && !equal(templateOf(live), templateOf(incoming));
  const named = isNewTemplate && incoming['kind'] === 'Deployment' ? naming(incoming) : undefined;
  return {
    operation: live === undefined ? 'CREATE' : 'UPDATE',
    incoming,
    ...(live === undefined ? {} : { live }),
    byController: isController(by),
    fieldManager: by.fieldManager,
    ...(named === undefined ? {} : { naming: named }),
  };
}

/** The conditions of the webhook entries that fail: an object in a release, or an armed one that gets another template. */
function isGuarded({ incoming, live }: Request): boolean {
  if (stringAt(live, 'metadata', 'deletionTimestamp') !== undefined) return false;
  const texts = [incoming, live].flatMap((object) => [...ownOf(object).directives.values()]);
  if (texts.length === 0 || (live !== undefined && isSame(incoming, live))) return false;
  return texts.some((text) => !glanceAt(text).isArmed) || !equal(templateOf(live), templateOf(incoming));
}

function isSame(a: JsonMap, b: JsonMap): boolean {
  return [['spec'], ['metadata', 'labels'], ['metadata', 'annotations']].every((path) =>
    equal(at(a, path), at(b, path)),
  );
}

function templateOf(object: JsonMap | undefined) {
  return at(object, ['spec', 'template']);
}

/**
 * Carries out a JSON patch (RFC 6902) that goes down through maps only, as those of Sluice do.
 * @throws ApiError when a test fails
 */
export function patched(object: JsonMap, operations: readonly (Operation | Test)[]): JsonMap {
  return operations.reduce<JsonMap>((value, operation) => {
    const path = operation.path
      .slice(1)
      .split('/')
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (operation.op !== 'test') return placed(value, path, operation.op === 'remove' ? undefined : operation.value);
    if (equal(at(value, path), operation.value)) return value;
    throw new ApiError(422, 'Invalid', `the server rejected our request: testing ${operation.path} failed`);
  }, object);
}

export type Test = { readonly op: 'test'; readonly path: string; readonly value: JsonMap[string] };

function placed(map: JsonMap, [key = '', ...rest]: readonly string[], value: JsonMap[string] | undefined): JsonMap {
  const inner = map[key];
  return withMembers(map, { [key]: rest.length === 0 ? value : placed(isMap(inner) ? inner : {}, rest, value) });
}

/**
 * What `kubectl apply` sends for a manifest, on top of what is stored (client-side: three ways, with its record in an
 * annotation). A Deployment's strategy keeps only the members that the source has (`retainKeys`).
 */
export function applied(manifest: JsonMap, live: JsonMap | undefined): JsonMap {
  const annotations = {
    ...mapAt(manifest, 'metadata', 'annotations'),
    [ANNOTATIONS.lastApplied]: JSON.stringify(manifest),
  };
  const source = withMetadata(manifest, { annotations });
  if (live === undefined) return source;
  const last = parseJson(annotation(live, ANNOTATIONS.lastApplied) ?? '{}');
  const merged = threeWay(last, source, live) as JsonMap; // both are maps
  const strategy = at(manifest, ['spec', 'strategy']);
  if (manifest['kind'] !== 'Deployment' || !isMap(strategy)) return merged;
  const kept = Object.keys(strategy);
  const members = Object.entries(mapAt(merged, 'spec', 'strategy')).filter(([key]) => kept.includes(key));
  const isUnchanged = equal(at(merged, ['spec', 'strategy']), at(live, ['spec', 'strategy']));
  return isUnchanged
    ? merged
    : { ...merged, spec: { ...mapAt(merged, 'spec'), strategy: Object.fromEntries(members) } };
}
