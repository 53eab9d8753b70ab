import type { Rollout } from '../../api/generated.ts';
import { conditionTerms } from '../../api/matches.ts';
import type { Json } from '../../json/value.ts';
import type { Resource } from '../../kube/resource.ts';
import { definesDestinations, type Script } from '../../lua/script.ts';
import type { Gateway, GatewayTraffic } from '../../release/observed.ts';
import { type Directive, directiveKey, encodeDirective, readDirective } from '../../rewrite/directive.ts';
import { stepDirective, stepsOf } from '../../rollout/directives.ts';
import type { PlacedTarget } from '../references.ts';
import type { Seen } from '../seen.ts';

/** A gateway object of a Rollout as it was seen, and the script that rewrites it in this release. */
export type GatewayObject = {
  readonly placed: PlacedTarget;
  readonly script: Script;
  readonly resource: Resource;
  /** For an Ingress class the stable Ingress. */
  readonly seen: Seen;
  /** For an Ingress class the canary Ingress beside it; undefined while there is none. */
  readonly canary?: Seen | undefined;
};

/** Whether it only says what can be led to, and leads nothing there itself. */
export function isDestination({ script }: GatewayObject): boolean {
  return definesDestinations(script);
}

/** The directive that an object needs for a step of a release; undefined where the step asks nothing of it. */
export function wantedDirective(
  rollout: Rollout,
  { placed, script, seen }: GatewayObject,
  { step, weight }: GatewayTraffic,
  revision: string,
): Directive | undefined {
  const planned = stepsOf(rollout)[step - 1];
  // Once everything goes to the new version by weight there is nothing left to match.
  const given = weight === 100 ? undefined : (planned?.matches as Json | undefined);
  const { matches } = conditionTerms(given, ['matches']);
  const own = seen.directives.find(({ key }) => key === directiveKey(rollout.metadata.name ?? ''));
  const continues = own !== undefined && !own.isArmed && seen.hasOriginal;
  const options = { revision, continues, ...(weight === undefined ? {} : { weight }) };
  return stepDirective(rollout, step, placed.target, script, matches, options);
}

/** What a gateway object does now, by the directive that it carries. */
export function gatewayTraffic(rollout: Rollout, object: GatewayObject, revision: string): Gateway['traffic'] {
  const text = carriedText(rollout, object);
  if (text === undefined) return 'none';
  const directive = carriedDirective(rollout, text);
  if (directive?.action.type !== 'gateway') return 'other';
  const { step, action } = directive;
  for (const weight of [undefined, action.weight]) {
    const wanted = wantedDirective(rollout, object, { step, weight }, revision);
    if (wanted !== undefined && isSameDirective(wanted, directive)) return { step, weight };
  }
  return 'other';
}

/** Percent of the traffic that an object gives the new version now, by the directive that it carries. */
export function gatewayWeight(rollout: Rollout, object: GatewayObject): number | undefined {
  const text = carriedText(rollout, object);
  const action = text === undefined ? undefined : carriedDirective(rollout, text)?.action;
  return action?.type === 'gateway' ? action.weight : undefined;
}

function carriedDirective(rollout: Rollout, text: string): Directive | undefined {
  return readDirective(directiveKey(rollout.metadata.name ?? ''), text);
}

/** Whether an object was rewritten before when a directive was written says nothing of what the directive asks for. */
function isSameDirective(a: Directive, b: Directive): boolean {
  return encodeDirective({ ...a, continues: false }) === encodeDirective({ ...b, continues: false });
}

/** The text of the directive that is carried out: on the object itself, or noted on the canary Ingress. */
function carriedText(rollout: Rollout, { placed, seen, canary }: GatewayObject): string | undefined {
  if (placed.target.request.contract === 'ingress') return canary?.made?.by;
  const own = seen.directives.find(({ key }) => key === directiveKey(rollout.metadata.name ?? ''));
  return own === undefined || own.isArmed ? undefined : own.text;
}

/** Whether an object is what its directives say; a canary Ingress also whether it follows its stable one. */
export function isGatewayInEffect(
  object: GatewayObject,
  isVerified: (seen: Seen, isPlain: boolean) => boolean,
): boolean {
  const { placed, seen, canary } = object;
  if (placed.target.request.contract === 'ingress') return canary === undefined || canary.made?.from === seen.content;
  const isPlain = !seen.hasOriginal && seen.directives.every(({ isArmed }) => isArmed);
  return isVerified(seen, isPlain);
}
