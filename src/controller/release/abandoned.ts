import type { Rollout } from '../../api/generated.ts';
import { ANNOTATIONS, canaryName } from '../../api/names.ts';
import type { Clock } from '../../kube/clock.ts';
import { RESOURCES, type Resource } from '../../kube/resource.ts';
import { definesDestinations, type Script } from '../../lua/script.ts';
import { type Abandoned, type AbandonedPlan, planAbandoned } from '../../release/abandoned.ts';
import type { ServicePair } from '../../release/observed.ts';
import { settingsOf } from '../../release/settings.ts';
import { type Directive, encodeDirective, readDirective } from '../../rewrite/directive.ts';
import { styleOf } from '../../rollout/directives.ts';
import { targetsOf } from '../../rollout/targets.ts';
import { type Api, TryAgain } from '../api.ts';
import type { Carrier, Kinds } from '../kinds.ts';
import { groupOf } from '../references.ts';
import { contentOf } from '../seen.ts';
import { canaryOf, servicePair, workloadOf } from './observe.ts';
import type { DeploymentSeen } from './scene-objects.ts';
import type { Scene, Scenes } from './scenes.ts';
import { gone, writePods, writeSets } from './sets.ts';
import type { Steer } from './steer.ts';

export type AbandonedOptions = {
  readonly api: Api;
  readonly kinds: Kinds;
  readonly scenes: Scenes;
  readonly steer: Steer;
  /** Scripts that are pinned, by hash. */
  readonly script: (hash: string) => Script | undefined;
  readonly clock: Clock;
};

/** Where the release of a Rollout that is gone stands. */
export type AbandonedTurn = Pick<AbandonedPlan, 'state'> & {
  readonly afterMilliseconds?: number;
  /** The workload that waits for somebody to decide. */
  readonly held: Carrier | undefined;
};

/**
 * Goes on with releases of Rollouts that are gone, by what stands on the objects that they have left.
 */
export type Abandonment = {
  /**
   * @param present the Rollout of that name that is there again
   * @throws TryAgain until everything that a release may have changed has been seen
   */
  goOn(rolloutKey: string, present?: Rollout): Promise<AbandonedTurn>;
  /**
   * Where a Rollout that is there again begins a release: takes the traffic back as long as there is anything that it does
   * not name, and then that away. Everything else stays.
   * @returns `over` when the release may begin
   * @throws TryAgain as {@link Abandonment.goOn}
   */
  makeWay(rolloutKey: string, present: Rollout): Promise<AbandonedTurn>;
  /** A release runs, or nothing is left. */
  forget(rolloutKey: string): void;
};

export function createAbandoned({ api, kinds, scenes, steer, script, clock }: AbandonedOptions): Abandonment {
  /** Since when nothing leads to a new version; a restart makes the grace longer, never shorter. */
  const quietSince = new Map<string, number>();

  async function undirect(carriers: readonly Carrier[]): Promise<void> {
    for (const { resource, seen, directive } of carriers) {
      const name = { namespace: seen.namespace, name: seen.name };
      await steer.write({ resource, name, key: directive.key, text: undefined, content: seen.content });
    }
  }

  /** Whether an object only says what can be led to. */
  function isDestination({ directive: { key, text } }: Carrier): boolean {
    const action = readDirective(key, text)?.action;
    const used = action?.type === 'gateway' ? script(action.script.hash) : undefined;
    return used !== undefined && definesDestinations(used);
  }

  async function unpin({ services, scene }: Left): Promise<void> {
    for (const { seen, directive } of services) {
      const object = scene.service(seen.name);
      if (object === undefined) continue;
      const name = { namespace: seen.namespace, name: seen.name };
      const content = contentOf(object['metadata']);
      await steer.write({ resource: RESOURCES.service, name, key: directive.key, text: undefined, content });
    }
  }

  async function remove({ made }: Left, plural: string): Promise<void> {
    for (const { resource, seen } of made) {
      if (resource.plural !== plural || seen.isDeleting) continue;
      await gone(api.delete(resource, { namespace: seen.namespace, name: seen.name }, { uid: seen.uid }));
    }
  }

  async function workload(wish: AbandonedPlan['workload'], { deployment, directive, key }: Left): Promise<void> {
    if (wish === 'keep' || deployment === undefined || directive?.action.type !== 'workload') return;
    const { style, stable, onDelete } = directive.action;
    const asWished = onDelete === undefined ? {} : { onDelete };
    const wanted = encodeDirective(
      wish === 'given back'
        ? // Armed it can be disarmed, which takes our label off, too; where the Rollout is there again it stays so.
          { ...directive, revision: '', step: 0, continues: false, action: { type: 'armed', style, ...asWished } }
        : { ...directive, action: { type: 'workload', style, stable, ...asWished, ...wish } },
    );
    if (wanted === encodeDirective(directive) && steer.isInEffect(deployment.uid, deployment.content)) return;
    const name = { namespace: deployment.namespace, name: deployment.name };
    const without = wish === 'given back' && deployment.resumed !== '' ? [ANNOTATIONS.resume] : [];
    const { content } = deployment;
    await steer.write({ resource: RESOURCES.deployment, name, key, text: wanted, content, without });
  }

  async function turn(rolloutKey: string, found: Found | undefined, onDelete?: 'again'): Promise<AbandonedTurn> {
    if (found === undefined) {
      quietSince.delete(rolloutKey);
      return { state: 'over', held: undefined };
    }
    // Where traffic still leads to a version that nobody sees, no pod may go.
    const unknown = kinds.unknown();
    if (unknown !== undefined) throw new TryAgain(`what Rollout ${rolloutKey} has left: ${unknown}`);
    const left = leftOf(rolloutKey, found, scenes);
    const now = clock.now().getTime();
    const routes = left.gateways.filter((carrier) => !isDestination(carrier));
    const steered = routes.length + left.made.filter(({ resource }) => resource.plural === 'ingresses').length;
    if (steered > 0) quietSince.delete(rolloutKey);
    else if (!quietSince.has(rolloutKey)) quietSince.set(rolloutKey, now);
    const { scene, deployment, directive, rollout } = left;
    const sight = { rollout, scene, isVerified: steer.isInEffect };
    const present = deployment && scene.canaryOf(deployment.name);
    const extra = left.made.some(({ seen }) => seen.uid === present?.uid) ? present : undefined;
    const action = directive?.action.type === 'workload' ? directive.action : undefined;
    const plan = planAbandoned(
      {
        observed: {
          style: action?.style ?? 'partition',
          workload: deployment && workloadOf(deployment, sight),
          canary: extra && canaryOf(extra, scene),
          services: left.stableServices.map((name): ServicePair => servicePair(name, sight)),
        },
        held: heldOf(directive, deployment, onDelete),
        steered,
        quietSince: quietSince.get(rolloutKey),
      },
      now,
    );
    await writePods(api, plan.pods, { scene, namespace: rollout.metadata.namespace });
    if (plan.traffic === 'none') {
      await undirect(routes);
      await remove(left, RESOURCES.ingress.plural);
    }
    if (plan.pins === 'none') await unpin(left);
    if (plan.destinations === 'absent') {
      await undirect(left.gateways.filter(isDestination));
      await remove(left, RESOURCES.service.plural);
    }
    if (plan.canaryDeployment === 'absent') await remove(left, RESOURCES.deployment.plural);
    if (deployment !== undefined)
      await writeSets(api, plan.sets, { scene, workloadName: deployment.name, namespace: deployment.namespace });
    await workload(plan.workload, left);
    const held = plan.state === 'held' ? left.workload : undefined;
    return { state: plan.state, held, ...(plan.after === undefined ? {} : { afterMilliseconds: plan.after }) };
  }

  return {
    goOn(rolloutKey, present) {
      const found = foundOf(rolloutKey, kinds, present);
      return turn(rolloutKey, found.active.length + found.made.length > 0 ? found : undefined);
    },
    makeWay: (rolloutKey, present) => turn(rolloutKey, inTheWay(foundOf(rolloutKey, kinds, present), present), 'again'),
    forget: (rolloutKey) => quietSince.delete(rolloutKey),
  };
}

function heldOf(
  directive: Directive | undefined,
  deployment: DeploymentSeen | undefined,
  again: 'again' | undefined,
): Abandoned['held'] {
  if (directive?.action.type !== 'workload') return undefined;
  const { revision, action } = directive;
  const isResumed = revision !== '' && deployment?.resumed === revision;
  const onDelete = again ?? (isResumed ? 'complete' : (action.onDelete ?? 'hold'));
  return { stable: action.stable, revision, onDelete };
}

/** Objects that bear something of a Rollout that is gone. */
type Found = {
  /** Those that carry a directive by which something is rewritten. */
  readonly active: readonly Carrier[];
  readonly made: ReturnType<Kinds['madeFor']>;
  /** The workload that the Rollout names that is there again. */
  readonly workloadName: string | undefined;
};

function foundOf(rolloutKey: string, kinds: Kinds, present: Rollout | undefined): Found {
  return {
    active: kinds.carriersOf(rolloutKey).filter(({ directive }) => !directive.isArmed),
    made: kinds.madeFor(rolloutKey),
    workloadName: present?.spec?.workloadRef.name,
  };
}

/**
 * What has to go before a release of the Rollout that is there again: all traffic, since it may lead to what goes, and of
 * the other objects those that it does not name. Undefined where it names all of them.
 */
function inTheWay({ active, made, workloadName }: Found, present: Rollout): Found | undefined {
  const isNamed = namedBy(present);
  const isUnnamed = ({ resource, seen }: Pick<Carrier, 'resource' | 'seen'>) => !isNamed(resource, seen.name);
  const [workloads, others] = [active.filter(isWorkload), active.filter((carrier) => !isWorkload(carrier))];
  if (!others.some(isUnnamed) && !made.some(isUnnamed)) return undefined;
  return {
    active: [
      ...workloads.filter(({ seen }) => seen.name === workloadName),
      ...others.filter((carrier) => carrier.resource.plural !== RESOURCES.service.plural || isUnnamed(carrier)),
    ],
    made: made.filter((object) => object.resource.plural === RESOURCES.ingress.plural || isUnnamed(object)),
    workloadName,
  };
}

function isWorkload({ resource }: Carrier): boolean {
  return resource.plural === RESOURCES.deployment.plural;
}

/** Whether releases of a Rollout have to do with an object: its gateway objects and Services, and what is made beside. */
function namedBy(rollout: Rollout): (resource: Resource, name: string) => boolean {
  const { routings, hasCanaryServices } = settingsOf(rollout);
  const services = hasCanaryServices ? routings.map(({ service }) => service) : [];
  const extra = styleOf(rollout) === 'canary' ? [rollout.spec?.workloadRef.name ?? ''] : [];
  const gateways = targetsOf(rollout).map(({ kind, name, apiVersion }) => ({ kind, name, group: groupOf(apiVersion) }));
  return ({ group, kind }, name) => {
    if (kind === 'Deployment') return extra.some((workload) => name === canaryName(workload));
    if (group === '' && kind === 'Service') return services.some((each) => name === each || name === canaryName(each));
    return gateways.some(
      (each) => each.kind === kind && each.group === group && (name === each.name || name === canaryName(each.name)),
    );
  };
}

type Left = {
  readonly rollout: { readonly metadata: { readonly namespace: string; readonly name: string } };
  readonly scene: Scene;
  readonly key: string;
  readonly workload: Carrier | undefined;
  readonly deployment: DeploymentSeen | undefined;
  readonly directive: Directive | undefined;
  readonly services: readonly Carrier[];
  readonly gateways: readonly Carrier[];
  readonly made: ReturnType<Kinds['madeFor']>;
  /** Services that are there and are pinned, or have a canary Service. */
  readonly stableServices: readonly string[];
};

function leftOf(rolloutKey: string, { active, made, workloadName }: Found, scenes: Scenes): Left {
  const [namespace = '', name = ''] = rolloutKey.split('/');
  // Nobody can look up what a Rollout that is gone has named.
  const scene = scenes.of(namespace, rolloutKey, 'all');
  const isOf = (plural: string) => (carrier: Carrier) => carrier.resource.plural === plural;
  const services = RESOURCES.service.plural;
  const workload = active.find(isWorkload);
  const named = workload?.seen.name ?? workloadName;
  const deployment = named === undefined ? undefined : scene.deployment(named);
  const pinned = active.filter(isOf(services));
  const suffix = canaryName('');
  const canaries = made.flatMap(({ resource, seen }) =>
    resource.plural === services && seen.name.endsWith(suffix) ? [seen.name.slice(0, -suffix.length)] : [],
  );
  return {
    rollout: { metadata: { namespace, name } },
    scene,
    key: workload?.directive.key ?? '',
    workload,
    deployment,
    directive: workload && readDirective(workload.directive.key, workload.directive.text),
    services: pinned,
    gateways: active.filter((carrier) => !isWorkload(carrier) && !isOf(services)(carrier)),
    made,
    stableServices: [...new Set([...pinned.map(({ seen }) => seen.name), ...canaries])].filter(
      (service) => scene.service(service) !== undefined,
    ),
  };
}
