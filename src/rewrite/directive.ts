import { createHash } from 'node:crypto';
import { DIRECTIVE_PREFIX, ON_DELETE, type OnDelete, ROUTING_PREFIX } from '../api/names.ts';
import { parseJson } from '../json/text.ts';
import { isList, isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';

/** The version of the rewrite that a directive asks for; a reader of another version must not guess. */
export const FORMAT = 1;

/** The name part of an annotation key holds at most 63 characters. */
const KEY_NAME_LIMIT = 63;

/**
 * What one Rollout wants of one object at this moment, as its directive annotation says it. Only the controller writes
 * it; the webhook turns it into fields.
 */
export type Directive = {
  readonly format: typeof FORMAT;
  readonly rollout: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** The revision that is being released, as the Rollout's status names it. */
  readonly revision: string;
  /** 1-based, as in the Rollout's status. */
  readonly step: number;
  /**
   * True when this object was rewritten before in the same release. Its original must then be there: were it captured
   * again, the rewritten object would become the user's.
   */
  readonly continues: boolean;
  readonly action: Action;
};

export type Action =
  | ({ readonly type: 'armed' } & ArmedAction)
  | ({ readonly type: 'gateway' } & GatewayAction)
  | ({ readonly type: 'service' } & ServiceAction)
  | ({ readonly type: 'workload' } & WorkloadAction);

/** Run a script on a gateway object, once for each pair of Services. */
export type GatewayAction = {
  readonly contract: 'custom' | 'ingress';
  readonly script: { readonly name: string; readonly hash: string };
  readonly routes: readonly { readonly stableService: string; readonly canaryService: string }[];
  /** Percent of the traffic for the new version; absent when the step only has matches. */
  readonly weight?: number;
  /** OR of AND groups, as handed to the script in `obj.matches`. */
  readonly matches?: readonly JsonMap[];
  readonly requestHeaderModifier?: JsonMap;
  readonly podMetadata?: { readonly labels?: JsonMap; readonly annotations?: JsonMap };
  readonly mirror?: JsonMap;
  readonly stickiness?: JsonMap;
};

/** Add keys to a Service's selector. */
export type ServiceAction = { readonly selector: Readonly<Record<string, string>> };

/** How a Rollout releases its workload: `canary` has an extra Deployment, the others work with the user's own. */
export const STYLES = ['partition', 'canary', 'blueGreen'] as const;
export type Style = (typeof STYLES)[number];

/** Nothing is rewritten, until a write brings another pod template: see `hold.ts`. */
export type ArmedAction = {
  readonly style: Style;
  /** What becomes of the workload when its Rollout is deleted in a release. */
  readonly onDelete?: OnDelete;
};

/** How far a Deployment may go: see `workload.ts`. */
export type WorkloadAction = {
  readonly style: Style;
  /** Hash of the pod template that serves until the release is through (see `template.ts`). */
  readonly stable: string;
  readonly paused: boolean;
  /** The walk's bounds (design §5): new pods never count as available while it is there. */
  readonly walk?: { readonly maxSurge: number | string; readonly maxUnavailable: number | string };
  /**
   * Paused, and of type `Recreate`: the native controller then scales nothing while two sets live, and leaves their sizes
   * to us. Unpaused it would kill all old pods at once, so `paused` is always true with it.
   */
  readonly still?: true;
  readonly onDelete?: OnDelete;
};

/** A directive annotation that this version cannot act on. */
export class InvalidDirective extends Error {
  constructor(key: string, reason: string) {
    super(`annotation ${key} is not a directive that this version of Sluice can follow: ${reason}`);
    this.name = 'InvalidDirective';
  }
}

/** The annotation key of a Rollout's directive; names over 63 characters are cut and told apart by a hash. */
export function directiveKey(rolloutName: string): string {
  if (rolloutName.length <= KEY_NAME_LIMIT) return DIRECTIVE_PREFIX + rolloutName;
  const digest = createHash('sha256').update(rolloutName).digest('hex').slice(0, 10);
  return `${DIRECTIVE_PREFIX}${rolloutName.slice(0, KEY_NAME_LIMIT - 11)}-${digest}`;
}

/** The label value by which objects of ours name a Rollout: its name, cut as in {@link directiveKey}. */
export function rolloutLabel(rolloutName: string): string {
  return directiveKey(rolloutName).slice(DIRECTIVE_PREFIX.length);
}

/** For whom a directive stands, for messages: `Rollout namespace/name`, or the same of a TrafficRouting. */
export function ownerText({ namespace, name }: Pick<Directive['rollout'], 'namespace' | 'name'>): string {
  return name.startsWith(ROUTING_PREFIX)
    ? `TrafficRouting ${namespace}/${name.slice(ROUTING_PREFIX.length)}`
    : `Rollout ${namespace}/${name}`;
}

/** The annotation's text. Its key order is fixed, so that equal directives have equal texts. */
export function encodeDirective({ format, rollout, revision, step, continues, action }: Directive): string {
  const { namespace, name, uid } = rollout;
  return JSON.stringify({ format, rollout: { namespace, name, uid }, revision, step, continues, action });
}

/** What decides how an object is treated before its directive is carried out. */
export type Glance = {
  readonly isDirective: boolean;
  readonly isArmed: boolean;
  readonly continues: boolean;
  /** The content hash of the script that it names. */
  readonly hash: string | undefined;
};

/** Reads the little that is asked for often. A text that is no directive is taken for one that rewrites something. */
export function glanceAt(text: string): Glance {
  let value: Json;
  try {
    value = parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    value = null;
  }
  const action = member(value, 'action');
  return {
    isDirective: isMap(action),
    isArmed: member(action, 'type') === 'armed',
    continues: member(value, 'continues') === true,
    hash: stringAt(action, 'script', 'hash'),
  };
}

/** @throws InvalidDirective when the text is not JSON, of another format, or lacks what its action needs. */
export function decodeDirective(key: string, text: string): Directive {
  const fail = (reason: string): never => {
    throw new InvalidDirective(key, reason);
  };
  let value: Json;
  try {
    value = parseJson(text);
  } catch {
    return fail('it is not JSON');
  }
  if (!isMap(value)) return fail('it is not a JSON object');
  if (value['format'] !== FORMAT) return fail(`its format is ${JSON.stringify(value['format'])}, not ${FORMAT}`);
  const rollout = value['rollout'];
  const namespace = stringAt(rollout, 'namespace');
  const name = stringAt(rollout, 'name');
  const uid = stringAt(rollout, 'uid');
  const revision = stringAt(value, 'revision');
  const step = value['step'];
  if (namespace === undefined || name === undefined || uid === undefined) return fail('it names no Rollout');
  if (revision === undefined || typeof step !== 'number') return fail('it names no revision or step');
  const continues = value['continues'] ?? false;
  if (typeof continues !== 'boolean') return fail('its `continues` is neither true nor false');
  const problem = actionProblem(value['action']);
  if (problem !== undefined) return fail(problem);
  const action = value['action'] as Action;
  return { format: FORMAT, rollout: { namespace, name, uid }, revision, step, continues, action };
}

/** {@link decodeDirective}; undefined for a text that is none. */
export function readDirective(key: string, text: string): Directive | undefined {
  try {
    return decodeDirective(key, text);
  } catch (error) {
    if (error instanceof InvalidDirective) return undefined;
    throw error;
  }
}

function actionProblem(action: Json | undefined): string | undefined {
  if (!isMap(action)) return 'it has no action';
  switch (action['type']) {
    case 'armed':
      return styleProblem(action);
    case 'gateway':
      return gatewayProblem(action);
    case 'service':
      return isStringMap(action['selector']) ? undefined : 'its selector is not a map of strings';
    case 'workload':
      return workloadProblem(action);
    default:
      return `it does not know the action ${JSON.stringify(action['type'])}`;
  }
}

function gatewayProblem(action: JsonMap): string | undefined {
  const { contract, script, routes, weight, matches, podMetadata } = action;
  if (contract !== 'custom' && contract !== 'ingress') return 'its contract is neither custom nor ingress';
  if (stringAt(script, 'name') === undefined || stringAt(script, 'hash') === undefined) return 'it names no script';
  const hasRoutes = isList(routes) && routes.length > 0 && routes.every(isRoute);
  if (!hasRoutes) return 'it names no pair of Services';
  if (weight !== undefined && !(typeof weight === 'number' && weight >= 0 && weight <= 100)) {
    return 'its weight is no percentage';
  }
  if (matches !== undefined && !(isList(matches) && matches.every(isMap))) return 'its matches are no list of maps';
  for (const key of ['requestHeaderModifier', 'mirror', 'stickiness', 'podMetadata']) {
    if (action[key] !== undefined && !isMap(action[key])) return `its ${key} is no map`;
  }
  const { labels, annotations } = isMap(podMetadata) ? podMetadata : {};
  return [labels, annotations].every((map) => map === undefined || isStringMap(map))
    ? undefined
    : 'its podMetadata does not hold maps of strings';
}

function isRoute(route: Json): boolean {
  return stringAt(route, 'stableService') !== undefined && stringAt(route, 'canaryService') !== undefined;
}

function styleProblem({ style, onDelete }: JsonMap): string | undefined {
  if (!STYLES.some((known) => known === style)) return `it does not know the style ${JSON.stringify(style)}`;
  return onDelete === undefined || ON_DELETE.some((known) => known === onDelete)
    ? undefined
    : `its onDelete is none of ${ON_DELETE.join(', ')}`;
}

function workloadProblem(action: JsonMap): string | undefined {
  const { stable, paused, walk, still } = action;
  const problem = styleProblem(action);
  if (problem !== undefined) return problem;
  if (typeof stable !== 'string') return 'it does not name the stable template';
  if (typeof paused !== 'boolean') return 'it does not say whether the workload is paused';
  if (still !== undefined && !(still === true && paused)) return 'what stands still is paused';
  if (walk === undefined) return undefined;
  const bounds = isMap(walk) ? [walk['maxSurge'], walk['maxUnavailable']] : [undefined];
  return bounds.every((bound) => typeof bound === 'number' || (typeof bound === 'string' && /^\d+%$/.test(bound)))
    ? undefined
    : 'its walk lacks maxSurge or maxUnavailable';
}

function isStringMap(value: Json | undefined): boolean {
  return isMap(value) && Object.values(value).every((entry) => typeof entry === 'string');
}
