import type { Rollout } from '../../api/generated.ts';
import { canaryName, LABELS } from '../../api/names.ts';
import { mergePatch } from '../../json/merge-patch.ts';
import { isMap, type Json, type JsonMap, member, stringAt } from '../../json/value.ts';
import { resourceVersionOf } from '../../kube/client.ts';
import { RESOURCES, type Resource } from '../../kube/resource.ts';
import { isSameTraffic } from '../../release/network.ts';
import type { GatewayTraffic, Wish } from '../../release/observed.ts';
import type { ReleaseRecord } from '../../release/record.ts';
import { settingsOf } from '../../release/settings.ts';
import { type Directive, directiveKey, encodeDirective, FORMAT } from '../../rewrite/directive.ts';
import { canaryDeployment } from '../../rollout/canary-deployment.ts';
import { canaryService, isCopied } from '../../rollout/canary-service.ts';
import { armedDirective, styleOf } from '../../rollout/directives.ts';
import type { Beneficiary } from '../../rollout/made-for.ts';
import { encodeHold, holdKey } from '../../rollout/traffic-routing.ts';
import { type Api, FIELD_MANAGER } from '../api.ts';
import type { StoredRouting } from '../routing-entry.ts';
import { contentOf } from '../seen.ts';
import { type GatewayObject, gatewayTraffic, isDestination } from './gateways.ts';
import { ownSelector, pinOf } from './observe.ts';
import { createOwn, foreignText, isServiceFor } from './own-objects.ts';
import type { Scene } from './scenes.ts';
import { changed, gone, writePods, writeSets } from './sets.ts';
import { Denied, type Steer } from './steer.ts';
import type { createSteerGateways } from './steer-gateways.ts';

/** What a release acts on. */
export type Stage = {
  readonly rollout: Rollout;
  readonly namespace: string;
  readonly workloadName: string;
  readonly scene: Scene;
  readonly gateways: readonly GatewayObject[];
  /** The TrafficRouting that the Rollout names, where there is one. */
  readonly routing: StoredRouting | undefined;
  readonly record: ReleaseRecord;
};

export type CarryOutOptions = {
  readonly api: Api;
  readonly steer: Steer;
  readonly steerGateways: ReturnType<typeof createSteerGateways>;
};

/**
 * Makes everything what the step machine wishes for; what is so already costs no call. Each write names the version of
 * the object that the wish was computed from.
 *
 * @throws Denied, TryAgain, or what the API server answers: the first of them, when all that could be done is done.
 */
export function createCarryOut({
  api,
  steer,
  steerGateways,
}: CarryOutOptions): (wish: Wish, stage: Stage) => Promise<void> {
  async function workload(wish: Wish['workload'], stage: Stage): Promise<void> {
    const seen = stage.scene.deployment(stage.workloadName);
    if (wish === 'keep' || seen === undefined) return;
    const key = directiveKey(stage.rollout.metadata.name ?? '');
    const present = seen.directives.find(({ rollout }) => directiveKey(rollout.name) === key);
    if (present?.action.type !== 'workload') return; // there is nothing that a release could go on with
    const wanted = wish === 'armed' ? armedDirective(stage.rollout) : workloadDirective(wish, present, stage);
    if (isSame(wanted, present) && steer.isInEffect(seen.uid, seen.content)) return;
    const name = { namespace: stage.namespace, name: seen.name };
    const text = encodeDirective(wanted);
    await steer.write({ resource: RESOURCES.deployment, name, key, text, content: seen.content });
  }

  async function extraDeployment(wish: Wish['canaryDeployment'], stage: Stage): Promise<void> {
    if (wish === 'keep') return;
    const { scene, workloadName, namespace, rollout } = stage;
    const extra = scene.canaryOf(workloadName);
    if (wish === 'absent') {
      if (extra === undefined || extra.isDeleting) return;
      await gone(api.delete(RESOURCES.deployment, { namespace, name: extra.name }, { uid: extra.uid }));
      return;
    }
    if (extra !== undefined) {
      if (extra.replicas === wish.replicas) return;
      const body = { metadata: { resourceVersion: extra.resourceVersion }, spec: { replicas: wish.replicas } };
      return write(RESOURCES.deployment, { namespace, name: extra.name }, body);
    }
    const seen = scene.deployment(workloadName);
    if (seen === undefined) return;
    const object = await api.get(RESOURCES.deployment, { namespace, name: workloadName });
    if (contentOf(object['metadata']) !== seen.content) throw changed('Deployment', namespace, workloadName);
    const podMetadata = rollout.spec?.strategy.canary?.patchPodTemplateMetadata ?? {};
    const made = canaryDeployment(object, seen.own.fields, wish.replicas, podMetadata, beneficiary(stage));
    await createOwn(api, RESOURCES.deployment, made);
  }

  async function pins(wish: Wish['pin'], stage: Stage): Promise<void> {
    if (wish === 'keep') return;
    for (const { service } of settingsOf(stage.rollout).routings) {
      const object = stage.scene.service(service);
      if (object === undefined) continue;
      const content = contentOf(object['metadata']);
      const uid = stringAt(object, 'metadata', 'uid') ?? '';
      const pin = pinOf(object, stage.rollout);
      if ((pin ?? 'none') === wish && (pin === undefined || steer.isInEffect(uid, content))) continue;
      const key = directiveKey(stage.rollout.metadata.name ?? '');
      const text = wish === 'none' ? undefined : encodeDirective(pinDirective(wish, pin !== undefined, stage));
      const name = { namespace: stage.namespace, name: service };
      await steer.write({ resource: RESOURCES.service, name, key, text, content });
    }
  }

  async function canaryServices(wish: Wish['canaryService'], stage: Stage): Promise<void> {
    if (wish === 'keep') return;
    const { rollout, scene, namespace } = stage;
    for (const { service } of settingsOf(rollout).routings) {
      const stable = scene.service(service);
      const present = scene.service(canaryName(service));
      const isOurs = present !== undefined && isServiceFor(present, rollout);
      if (wish === 'absent') {
        if (present === undefined || !isOurs) continue;
        const uid = stringAt(present, 'metadata', 'uid') ?? '';
        await gone(api.delete(RESOURCES.service, { namespace, name: canaryName(service) }, { uid }));
        continue;
      }
      if (stable === undefined) continue;
      const made = canaryService(stable, ownSelector(stable, rollout), wish, beneficiary(stage));
      if (present === undefined) await createOwn(api, RESOURCES.service, made);
      else if (!isOurs) throw new Denied(foreignText('Service', namespace, canaryName(service)));
      else await update(RESOURCES.service, present, made);
    }
  }

  async function traffic(wish: Wish['traffic'], stage: Stage): Promise<void> {
    if (wish === 'keep') return;
    const { rollout, namespace, record, routing } = stage;
    const of = { rollout, namespace, revision: record.canary };
    const settled = await Promise.allSettled([
      steerGateways(
        stage.gateways.filter((object) => !isDestination(object)),
        wish,
        of,
      ),
      routing === undefined ? undefined : hold(wish, routing, rollout.metadata.name ?? ''),
    ]);
    for (const each of settled) if (each.status === 'rejected') throw each.reason;
  }

  async function destinations(wish: Wish['destinations'], stage: Stage): Promise<void> {
    if (wish === 'keep') return;
    const { rollout, namespace, record } = stage;
    for (const object of stage.gateways.filter(isDestination)) {
      const now = gatewayTraffic(rollout, object, record.canary);
      // In which step it was defined makes no difference.
      const step = typeof now === 'object' ? now : { step: record.step, weight: undefined };
      const of = { rollout, namespace, revision: record.canary };
      await steerGateways([object], wish === 'absent' ? 'none' : step, of);
    }
  }

  /** The objects of a TrafficRouting are steered as long as a Rollout says that it uses it. */
  async function hold(wish: GatewayTraffic | 'none', routing: StoredRouting, rollout: string): Promise<void> {
    const key = holdKey(rollout);
    const present = routing.holds.find((each) => each.key === key);
    if (routing.isDeleting || isSameTraffic(present?.traffic ?? 'none', wish)) return;
    const annotations = { [key]: wish === 'none' ? null : encodeHold(rollout, wish) };
    const { namespace, name, resourceVersion } = routing;
    const body = { metadata: { resourceVersion, annotations } };
    const written = write(RESOURCES.trafficRouting, { namespace, name }, body);
    await (wish === 'none' ? gone(written) : written);
  }

  /** Brings the parts of an object of ours that we write to what they are to be; what others gave out stays. */
  async function update(resource: Resource, present: JsonMap, made: JsonMap): Promise<void> {
    const name = {
      namespace: stringAt(made, 'metadata', 'namespace') ?? '',
      name: stringAt(made, 'metadata', 'name') ?? '',
    };
    const [spec, wanted] = [mapAt(present, 'spec'), mapAt(made, 'spec')];
    const known = Object.fromEntries(Object.entries(spec).filter(([key]) => key in wanted || isCopied(key)));
    const change = mergePatch(known, wanted);
    if (change === undefined) return;
    await write(resource, name, { metadata: { resourceVersion: resourceVersionOf(present) }, spec: change });
  }

  async function write(resource: Resource, name: { namespace: string; name: string }, body: Json): Promise<void> {
    await api.patch(resource, name, 'merge', body, { fieldManager: FIELD_MANAGER, isAnswerRead: false });
  }

  return async (wish, stage) => {
    const settled = await Promise.allSettled([
      workload(wish.workload, stage),
      writeSets(api, wish.sets, stage),
      extraDeployment(wish.canaryDeployment, stage),
      pins(wish.pin, stage),
      canaryServices(wish.canaryService, stage),
      traffic(wish.traffic, stage),
      destinations(wish.destinations, stage),
      writePods(api, wish.pods, stage),
    ]);
    for (const each of settled) if (each.status === 'rejected') throw each.reason;
  };
}

function workloadDirective(wish: Exclude<Wish['workload'], string>, present: Directive, stage: Stage): Directive {
  const { rollout, record } = stage;
  const { namespace = '', name = '', uid = '' } = rollout.metadata;
  const armed = armedDirective(rollout).action;
  const onDelete = armed.type === 'armed' ? armed.onDelete : undefined;
  return {
    format: FORMAT,
    rollout: { namespace, name, uid },
    revision: present.revision,
    step: record.step,
    continues: true,
    action: {
      type: 'workload',
      style: styleOf(rollout),
      stable: record.stable,
      ...wish,
      ...(onDelete === undefined ? {} : { onDelete }),
    },
  };
}

function beneficiary({ rollout: { metadata }, namespace }: Stage): Beneficiary {
  return { namespace, name: metadata.name ?? '', uid: metadata.uid ?? '' };
}

function pinDirective(podTemplateHash: string, continues: boolean, { rollout, record }: Stage): Directive {
  const { namespace = '', name = '', uid = '' } = rollout.metadata;
  return {
    format: FORMAT,
    rollout: { namespace, name, uid },
    revision: record.canary,
    step: record.step,
    continues,
    action: { type: 'service', selector: { [LABELS.podTemplateHash]: podTemplateHash } },
  };
}

/** Which step it was written in makes no difference to an object. */
function isSame(a: Directive, b: Directive): boolean {
  const plain = (directive: Directive) => encodeDirective({ ...directive, step: 0, continues: true });
  return plain(a) === plain(b);
}

function mapAt(object: JsonMap, key: string): JsonMap {
  const value = member(object, key);
  return isMap(value) ? value : {};
}
