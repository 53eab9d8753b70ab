import type { Rollout } from '../../api/generated.ts';
import { canaryName } from '../../api/names.ts';
import { RESOURCES } from '../../kube/resource.ts';
import type { Script } from '../../lua/script.ts';
import { isSameTraffic } from '../../release/network.ts';
import type { GatewayTraffic } from '../../release/observed.ts';
import { directiveKey, encodeDirective, readDirective } from '../../rewrite/directive.ts';
import type { Kinds } from '../kinds.ts';
import { type Observed, usedScript } from '../plan.ts';
import type { Seen } from '../seen.ts';
import type { CanaryIngresses } from './canary-ingresses.ts';
import { type GatewayObject, gatewayTraffic, wantedDirective } from './gateways.ts';
import { Denied, type Steer } from './steer.ts';

/** For whom gateway objects are steered: a Rollout in a release, or a TrafficRouting. */
export type Steered = { readonly rollout: Rollout; readonly namespace: string; readonly revision: string };

/** The gateway objects that are named, as they were seen; undefined for one that is not there, or has no script. */
export function gatewayObjects(
  { rollout, namespace }: Pick<Steered, 'rollout' | 'namespace'>,
  observed: Observed,
  kinds: Kinds,
  script: (hash: string) => Script | undefined,
): (GatewayObject | undefined)[] {
  const name = rollout.metadata.name ?? '';
  const key = directiveKey(name);
  const canaryOf = (stable: string): Seen | undefined => {
    const beside = kinds.of(RESOURCES.ingress).get(namespace, canaryName(stable));
    return beside?.made?.rollout === `${namespace}/${name}` ? beside : undefined;
  };
  return observed.scripts.map(({ placed, choice }) => {
    const resolution = observed.references.find(
      ({ reference: { role, kind, group, name: named } }) =>
        role === 'gateway' && kind === placed.target.kind && group === placed.group && named === placed.target.name,
    )?.resolution;
    if (resolution?.state !== 'found') return undefined;
    const { seen, resource } = resolution;
    const isIngress = placed.target.request.contract === 'ingress';
    const canary = isIngress ? canaryOf(seen.name) : undefined;
    // The script of the directive that an object carries stays for the whole release; else the one in use now.
    const text = isIngress ? canary?.made?.by : seen.directives.find((each) => each.key === key)?.text;
    const hash = text === undefined ? undefined : scriptHash(key, text);
    const used = (hash === undefined ? undefined : script(hash)) ?? usedScript(choice);
    return used && { placed, script: used, resource, seen, ...(isIngress ? { canary } : {}) };
  });
}

function scriptHash(key: string, text: string): string | undefined {
  const action = readDirective(key, text)?.action;
  return action?.type === 'gateway' ? action.script.hash : undefined;
}

/**
 * Puts right what was written past the webhook.
 * @returns what cannot be put right
 */
export async function repairGateways(
  gateways: readonly GatewayObject[],
  namespace: string,
  steer: Steer,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { placed, resource, seen } of gateways) {
    const isPlain = seen.directives.every(({ isArmed }) => isArmed) && !seen.hasOriginal;
    if (placed.target.request.contract === 'ingress' || steer.isInEffect(seen.uid, seen.content, isPlain)) continue;
    problems.push(...(await refusal(steer.repair(resource, { namespace, name: seen.name }))));
  }
  return problems;
}

/** What admission says against a write; nothing when it is done. */
export async function refusal(write: Promise<void>): Promise<string[]> {
  try {
    await write;
    return [];
  } catch (error) {
    if (!(error instanceof Denied)) throw error;
    return [error.message];
  }
}

export type SteerGatewaysOptions = { readonly steer: Steer; readonly ingresses: CanaryIngresses };

/**
 * Makes gateway objects what is wished for; what is so already costs no call.
 * @throws Denied, TryAgain, or what the API server answers: the first of them, when all that could be done is done.
 */
export function createSteerGateways({ steer, ingresses }: SteerGatewaysOptions) {
  async function one(object: GatewayObject, wish: GatewayTraffic | 'none', of: Steered): Promise<void> {
    const { rollout, revision, namespace } = of;
    const { placed, resource, seen } = object;
    const now = gatewayTraffic(rollout, object, revision);
    const wanted = wish === 'none' ? undefined : wantedDirective(rollout, object, wish, revision);
    if (placed.target.request.contract === 'ingress')
      return ingresses.write(object, wanted === undefined ? undefined : encodeDirective(wanted), rollout, namespace);
    const isThere = wanted === undefined ? now === 'none' : isSameTraffic(now, wish);
    if (isThere && (now === 'none' || steer.isInEffect(seen.uid, seen.content))) return;
    const key = directiveKey(rollout.metadata.name ?? '');
    const text = wanted === undefined ? undefined : encodeDirective(wanted);
    const name = { namespace, name: seen.name };
    await steer.write({ resource, name, key, text, content: seen.content });
  }

  return async (gateways: readonly GatewayObject[], wish: GatewayTraffic | 'none', of: Steered): Promise<void> => {
    const settled = await Promise.allSettled(gateways.map((object) => one(object, wish, of)));
    for (const each of settled) if (each.status === 'rejected') throw each.reason;
  };
}
