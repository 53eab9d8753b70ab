import type { Rollout } from '../../api/generated.ts';
import { type Json, stringAt } from '../../json/value.ts';
import type { Clock } from '../../kube/clock.ts';
import { RESOURCES } from '../../kube/resource.ts';
import type { Script } from '../../lua/script.ts';
import { planRelease, type ReleasePlan } from '../../release/machine.ts';
import { readRecord } from '../../release/record.ts';
import { settingsOf } from '../../release/settings.ts';
import { type Directive, directiveKey, encodeDirective, readDirective } from '../../rewrite/directive.ts';
import { caughtUp } from '../../rewrite/hold.ts';
import { styleOf } from '../../rollout/directives.ts';
import { trafficRoutingOf } from '../../rollout/traffic-routing.ts';
import { type Api, FIELD_MANAGER, TryAgain } from '../api.ts';
import type { Finding } from '../conditions.ts';
import type { Kinds } from '../kinds.ts';
import { foundWorkload, type Observed } from '../plan.ts';
import { trafficRoutingKey } from '../references.ts';
import type { RolloutEntry } from '../rollout-entry.ts';
import type { RolloutIndex } from '../rollout-index.ts';
import type { RoutingBook } from '../routing-book.ts';
import { contentOf } from '../seen.ts';
import { type AbandonedTurn, createAbandoned } from './abandoned.ts';
import { createCarryOut, type Stage } from './carry-out.ts';
import { isPlainObject, observe } from './observe.ts';
import { obstacleOf } from './obstacles.ts';
import type { DeploymentSeen } from './scene-objects.ts';
import type { Scene, Scenes } from './scenes.ts';
import type { Steer } from './steer.ts';
import { type createSteerGateways, gatewayObjects, refusal, repairGateways } from './steer-gateways.ts';

export type ReleasesOptions = {
  readonly api: Api;
  readonly kinds: Kinds;
  readonly index: RolloutIndex;
  readonly routings: RoutingBook;
  readonly scenes: Scenes;
  readonly steer: Steer;
  readonly steerGateways: ReturnType<typeof createSteerGateways>;
  /** Scripts that are pinned, by hash. */
  readonly script: (hash: string) => Script | undefined;
  readonly clock: Clock;
};

/** One look at a release: what is to be stored, and then done. */
export type Turn = {
  readonly plan: ReleasePlan;
  /** Carries out what the plan wishes for; to be called when its record is stored. */
  readonly carryOut: () => Promise<void>;
};

/**
 * The releases of all Rollouts.
 *
 * ```
 *  scene (watches) ─► put right what was written past the webhook ─► observe ─► step machine (pure) ─► record, wish
 *                                                                                    status ◄────────────┘     │
 *                                              directives, ReplicaSets, canary objects ◄── carry out ◄─────────┘
 * ```
 */
export type Releases = {
  /** Whether the Rollout is in a release, or one begins now. */
  isRunning(entry: RolloutEntry, observed: Observed): boolean;
  /** @throws TryAgain while not everything has been seen */
  look(
    entry: RolloutEntry,
    rollout: Rollout,
    observed: Observed,
    findings: readonly Finding[],
  ): Promise<Turn | undefined>;
  /** Goes on with what a Rollout that is gone has left in the middle of a release. @param present one that is there again */
  abandoned(key: string, present?: Rollout): Promise<AbandonedTurn>;
  /** Takes away what is in the way of a release that begins; `over` when nothing is. */
  makeWay(entry: RolloutEntry, rollout: Rollout): Promise<AbandonedTurn>;
  /** The Rollout is in no release any more, or gone. */
  leave(key: string): void;
};

export function createReleases(options: ReleasesOptions): Releases {
  const { api, kinds, index, routings, scenes, steer, steerGateways, script, clock } = options;
  const carryOut = createCarryOut({ api, steer, steerGateways });
  const abandonment = createAbandoned({ api, kinds, scenes, steer, script, clock });

  /** The native controller copies annotations of a Deployment to its set, over what we write there, again and again. */
  async function unmark({ namespace, name, resourceVersion, strayMarks }: DeploymentSeen): Promise<void> {
    const annotations = Object.fromEntries(strayMarks.map((key): [string, Json] => [key, null]));
    const options = { fieldManager: FIELD_MANAGER, isAnswerRead: false } as const;
    const body = { metadata: { resourceVersion, annotations } };
    await api.patch(RESOURCES.deployment, { namespace, name }, 'merge', body, options);
    throw new TryAgain(`Deployment ${namespace}/${name} bore marks that belong on its ReplicaSets`);
  }

  /** What was written past the webhook is put right; what cannot be is told. */
  async function repair(stage: Omit<Stage, 'record'>): Promise<string | undefined> {
    const problems: string[] = [];
    const one = async (work: Promise<void>) => problems.push(...(await refusal(work)));
    const { namespace, scene, workloadName } = stage;
    const workload = scene.deployment(workloadName);
    if (workload !== undefined && workload.strayMarks.length > 0) await unmark(workload);
    const active = workload?.directives.find(({ action }) => action.type === 'workload');
    const isActive = active !== undefined;
    if (workload !== undefined && active !== undefined && isPast(workload, active, scene)) {
      const text = encodeDirective(caughtUp(active, workload.template));
      const key = directiveKey(active.rollout.name);
      const name = { namespace, name: workloadName };
      await one(steer.write({ resource: RESOURCES.deployment, name, key, text, content: workload.content }));
      throw new TryAgain(`Deployment ${namespace}/${workloadName} has another template`);
    }
    if (workload !== undefined && !steer.isInEffect(workload.uid, workload.content, !isActive))
      await one(steer.repair(RESOURCES.deployment, { namespace, name: workloadName }));
    problems.push(...(await repairGateways(stage.gateways, namespace, steer)));
    for (const { service: name } of settingsOf(stage.rollout).routings) {
      const service = scene.service(name);
      if (service === undefined) continue;
      const uid = stringAt(service, 'metadata', 'uid') ?? '';
      if (!steer.isInEffect(uid, contentOf(service['metadata']), isPlainObject(service)))
        await one(steer.repair(RESOURCES.service, { namespace, name }));
    }
    return problems.length === 0 ? undefined : problems.join('\n');
  }

  return {
    isRunning({ rollout, stored }, observed) {
      if (rollout === undefined) return false;
      const record = readRecord(stored.status, styleOf(rollout));
      if (record !== undefined && record.reason !== 'Completed') return true;
      const workload = foundWorkload(observed);
      const key = directiveKey(stored.name);
      return workload?.directives.some((each) => each.key === key && isActive(each)) === true;
    },
    async look(entry, rollout, observed, findings) {
      const { namespace } = entry.stored;
      abandonment.forget(entry.key);
      const scene = scenes.of(namespace, entry.key);
      const objects = gatewayObjects({ rollout, namespace }, observed, kinds, script);
      const gateways = objects.filter((object) => object !== undefined);
      const workloadName = rollout.spec?.workloadRef.name ?? '';
      const named = trafficRoutingOf(rollout);
      const routing = named && routings.get(trafficRoutingKey(namespace, named.name));
      const problem = await repair({ rollout, namespace, workloadName, scene, gateways, routing });
      const before = readRecord(entry.stored.status, styleOf(rollout));
      const bad = findings.find(({ type, status }) => status !== 'True' && type !== 'Reconciled');
      const seen = observe({
        rollout,
        isDeleting: entry.stored.isDeleting,
        obstacle:
          problem ??
          bad?.message ??
          obstacleOf({ rollout, key: entry.key, namespace, workloadName, observed, scene, kinds, index }),
        workloadName,
        scene,
        gateways,
        missingGateways: objects.length - gateways.length + (named !== undefined && routing === undefined ? 1 : 0),
        routing: routing?.spec,
        routed: routing && routings.gatewayFor(entry.stored.name, routing),
        revision: before?.canary ?? '',
        isVerified: steer.isInEffect,
      });
      const plan = planRelease(seen, before, clock.now().getTime());
      if (plan === undefined) return undefined;
      const stage: Stage = { rollout, namespace, workloadName, scene, gateways, routing, record: plan.record };
      return { plan, carryOut: () => carryOut(plan.wish, stage) };
    },
    abandoned: (key, present) => abandonment.goOn(key, present),
    makeWay({ key, stored }, rollout) {
      const record = readRecord(stored.status, styleOf(rollout));
      const isBeginning = record === undefined || record.reason === 'Initializing' || record.reason === 'Completed';
      return isBeginning ? abandonment.makeWay(key, rollout) : Promise.resolve({ state: 'over', held: undefined });
    },
    leave(key) {
      abandonment.forget(key);
      scenes.leave(key);
    },
  };
}

/**
 * Whether the template is another one than the directive says. An API server of another version may write the same
 * templates in other words: then no set is found that has the stable one.
 */
function isPast(workload: DeploymentSeen, { revision, action }: Directive, scene: Scene): boolean {
  if (workload.template === revision || action.type !== 'workload') return false;
  return scene.setsOf(workload).some(({ template }) => template === action.stable);
}

function isActive({ key, text }: { key: string; text: string }): boolean {
  return readDirective(key, text)?.action.type === 'workload';
}
