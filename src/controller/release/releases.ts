import type { Rollout } from '../../api/generated.ts';
import { canaryName } from '../../api/names.ts';
import { stringAt } from '../../json/value.ts';
import type { Clock } from '../../kube/clock.ts';
import { RESOURCES } from '../../kube/resource.ts';
import type { Script } from '../../lua/script.ts';
import { planRelease, type ReleasePlan } from '../../release/machine.ts';
import { readRecord } from '../../release/record.ts';
import { settingsOf } from '../../release/settings.ts';
import { type Directive, directiveKey, encodeDirective, readDirective, rolloutLabel } from '../../rewrite/directive.ts';
import { caughtUp } from '../../rewrite/hold.ts';
import { styleOf } from '../../rollout/directives.ts';
import { type Api, TryAgain } from '../api.ts';
import type { Finding } from '../conditions.ts';
import type { Decide } from '../dry-run.ts';
import type { Kinds } from '../kinds.ts';
import { type Observed, usedScript } from '../plan.ts';
import type { RolloutEntry } from '../rollout-entry.ts';
import type { RolloutIndex } from '../rollout-index.ts';
import { contentOf, type Seen } from '../seen.ts';
import { type AbandonedTurn, createAbandoned } from './abandoned.ts';
import { createCanaryIngresses } from './canary-ingresses.ts';
import { createCarryOut, type Stage } from './carry-out.ts';
import type { GatewayObject } from './gateways.ts';
import { isPlainObject, observe } from './observe.ts';
import { obstacleOf } from './obstacles.ts';
import type { DeploymentSeen } from './scene-objects.ts';
import type { Scene, Scenes } from './scenes.ts';
import { createSteer, Denied } from './steer.ts';

export type ReleasesOptions = {
  readonly api: Api;
  readonly kinds: Kinds;
  readonly index: RolloutIndex;
  readonly scenes: Scenes;
  readonly decide: Decide;
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
  /** Goes on with what a Rollout that is gone has left in the middle of a release. */
  abandoned(key: string, workloadName?: string): Promise<AbandonedTurn>;
  /** The Rollout is in no release any more, or gone. */
  leave(key: string): void;
};

export function createReleases(options: ReleasesOptions): Releases {
  const { api, kinds, index, scenes, decide, script, clock } = options;
  const steer = createSteer({ api, decide, script });
  const ingresses = createCanaryIngresses({ api, decide, script });
  const carryOut = createCarryOut({ api, steer, ingresses });
  const abandoned = createAbandoned({ api, kinds, scenes, steer, script, clock });

  /** The script of the directive that an object carries stays for the whole release; else the one in use now. */
  function gatewayObjects(rollout: Rollout, observed: Observed, namespace: string): (GatewayObject | undefined)[] {
    const key = directiveKey(rollout.metadata.name ?? '');
    return observed.scripts.map(({ placed, choice }) => {
      const resolution = observed.references.find(
        ({ reference: { role, kind, group, name } }) =>
          role === 'gateway' && kind === placed.target.kind && group === placed.group && name === placed.target.name,
      )?.resolution;
      if (resolution?.state !== 'found') return undefined;
      const { seen, resource } = resolution;
      const isIngress = placed.target.request.contract === 'ingress';
      const beside = isIngress ? canaryOf(seen, namespace) : undefined;
      const canary = beside?.made?.rollout === rolloutLabel(rollout.metadata.name ?? '') ? beside : undefined;
      const text = isIngress ? canary?.made?.by : seen.directives.find((each) => each.key === key)?.text;
      const hash = text === undefined ? undefined : scriptHash(key, text);
      const used = (hash === undefined ? undefined : script(hash)) ?? usedScript(choice);
      return used && { placed, script: used, resource, seen, ...(isIngress ? { canary } : {}) };
    });
  }

  function canaryOf({ name }: Seen, namespace: string): Seen | undefined {
    return kinds.of(RESOURCES.ingress).get(namespace, canaryName(name));
  }

  /** What was written past the webhook is put right; what cannot be is told. */
  async function repair(stage: Omit<Stage, 'record'>): Promise<string | undefined> {
    const problems: string[] = [];
    const one = async (work: Promise<void>) => {
      try {
        await work;
      } catch (error) {
        if (!(error instanceof Denied)) throw error;
        problems.push(error.message);
      }
    };
    const { namespace, scene, workloadName } = stage;
    const workload = scene.deployment(workloadName);
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
    for (const { placed, resource, seen } of stage.gateways) {
      const isPlain = seen.directives.every(({ isArmed }) => isArmed) && !seen.hasOriginal;
      if (placed.target.request.contract === 'ingress' || steer.isInEffect(seen.uid, seen.content, isPlain)) continue;
      await one(steer.repair(resource, { namespace, name: seen.name }));
    }
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
      const workload = workloadOf(observed);
      const key = directiveKey(stored.name);
      return workload?.directives.some((each) => each.key === key && isActive(each)) === true;
    },
    async look(entry, rollout, observed, findings) {
      const { namespace } = entry.stored;
      const scene = scenes.of(namespace, entry.key);
      const objects = gatewayObjects(rollout, observed, namespace);
      const gateways = objects.filter((object) => object !== undefined);
      const workloadName = rollout.spec?.workloadRef.name ?? '';
      const problem = await repair({ rollout, namespace, workloadName, scene, gateways });
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
        missingGateways: objects.length - gateways.length,
        revision: before?.canary ?? '',
        isVerified: steer.isInEffect,
      });
      const plan = planRelease(seen, before, clock.now().getTime());
      if (plan === undefined) return undefined;
      const stage: Stage = { rollout, namespace, workloadName, scene, gateways, record: plan.record };
      return { plan, carryOut: () => carryOut(plan.wish, stage) };
    },
    abandoned,
    leave: (key) => scenes.leave(key),
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

function scriptHash(key: string, text: string): string | undefined {
  const action = readDirective(key, text)?.action;
  return action?.type === 'gateway' ? action.script.hash : undefined;
}

function isActive({ key, text }: { key: string; text: string }): boolean {
  return readDirective(key, text)?.action.type === 'workload';
}

function workloadOf({ references }: Observed): Seen | undefined {
  const found = references.find(({ reference }) => reference.role === 'workload')?.resolution;
  return found?.state === 'found' ? found.seen : undefined;
}
