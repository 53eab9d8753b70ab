import { refusedGateway } from '../api/gateway-groups.ts';
import { LABELS } from '../api/names.ts';
import { fieldPath } from '../api/violation.ts';
import type { JsonMap } from '../json/value.ts';
import type { Resource } from '../kube/resource.ts';
import type { Script } from '../lua/script.ts';
import { directiveKey, encodeDirective, readDirective } from '../rewrite/directive.ts';
import { armedDirective } from '../rollout/directives.ts';
import type { Guard } from './api.ts';
import { type ConditionReason, conditionOf, type Finding } from './conditions.ts';
import type { Obstacle } from './dry-run.ts';
import type { Carrier } from './kinds.ts';
import { type GroupKind, kindKey, type PlacedTarget, type Reference, WORKLOAD_TYPES } from './references.ts';
import { gatewayClusterRole } from './rights.ts';
import type { RolloutEntry } from './rollout-entry.ts';
import type { ScriptChoice } from './script-book.ts';
import type { CarriedDirective, Seen } from './seen.ts';

/** What became of an object that a Rollout names. */
export type Resolution =
  | { readonly state: 'found'; readonly seen: Seen; readonly resource: Resource }
  | { readonly state: 'missing' }
  | { readonly state: 'notServed' }
  /** The controller may not read the kind. */
  | { readonly state: 'forbidden'; readonly resource: Resource }
  | { readonly state: 'clusterScoped' };

/** Everything that a plan depends on. */
export type Observed = {
  readonly entry: RolloutEntry;
  /** API servers never ask Sluice about objects of its namespace. */
  readonly isExcluded: boolean;
  /** Whether API servers ask Sluice about anything now. */
  readonly calling: ReturnType<Guard['calling']>;
  /** Another Rollout that has the workload, `namespace/name`. */
  readonly rival: string | undefined;
  /** What holds the workload in a release of another Rollout, which may be gone. */
  readonly holder: Holder | undefined;
  readonly references: readonly { readonly reference: Reference; readonly resolution: Resolution }[];
  /** The TrafficRouting that it names; undefined where it names none. */
  readonly routing:
    | { readonly reference: Reference; readonly state: 'missing' | 'going' }
    | { readonly reference: Reference; readonly state: 'found'; readonly problem: string | undefined }
    | undefined;
  readonly scripts: readonly { readonly placed: PlacedTarget; readonly choice: ScriptChoice }[];
  /** What the steps would stumble over; undefined when they were not played, because something that they need is missing. */
  readonly obstacles: readonly Obstacle[] | undefined;
  /** Objects that carry a directive of this Rollout now. */
  readonly carriers: readonly Carrier[];
};

/** The active directive of another Rollout on the workload. */
export type Holder = {
  /** `namespace/name`. */
  readonly rollout: string;
  readonly directive: CarriedDirective;
  /**
   * `living`: the other Rollout is there; `under way`: it is gone, and what it has left still changes; `at rest`: the old
   * version serves alone, and all that is left is what holds the new one back.
   */
  readonly state: 'living' | 'under way' | 'at rest';
  /** Services that select the old version by its directives, and that this Rollout names, too. */
  readonly pins: readonly Carrier[];
};

/** What is to be done, and what is to be said. */
export type Plan = {
  readonly findings: readonly Finding[];
  readonly phase: 'Initial' | 'Healthy' | 'Disabled';
  readonly message: string;
  /** Scripts that must be pinned. */
  readonly scripts: readonly Script[];
  readonly arm: Arming | undefined;
  readonly disarm: readonly Carrier[];
  /** When to look again although nothing has happened. */
  readonly afterMilliseconds: number | undefined;
};

/** The directive and the label that a workload at rest carries; or those of a release that is taken over. */
export type Arming = {
  readonly resource: Resource;
  readonly seen: Seen;
  readonly key: string;
  readonly text: string;
  /** Undefined for a workload that has a label already. */
  readonly workloadType: string | undefined;
  /** Directives of a Rollout that is gone, which become this one's: of Services first, and then of the workload. */
  readonly takenOver: { readonly directive: CarriedDirective; readonly pins: readonly TakenOver[] } | undefined;
};

/** An object whose directive gets another key, and names another Rollout. */
export type TakenOver = { readonly carrier: Carrier; readonly key: string; readonly text: string };

/** So often it is looked at what a Rollout that is gone has left: nothing tells of the last of it. */
const TAKEOVER_MILLISECONDS = 1_000;

/** A step that met only a limit of time is played again: the machine may have been busy. */
const REPLAY_MILLISECONDS = 60_000;

/** The workload that a Rollout names, as far as it is kept in memory; undefined where it is not there. */
export function foundWorkload({ references }: Pick<Observed, 'references'>): Seen | undefined {
  const found = references.find(({ reference }) => reference.role === 'workload')?.resolution;
  return found?.state === 'found' ? found.seen : undefined;
}

/**
 * What to do for a Rollout, from all that is known of it: pure.
 *
 * ```
 *  Accepted ──► ResolvedRefs ──► ScriptsReady ──► Expressible          (conditions; a later one waits for those before)
 *                    │
 *                    └──► armed workload: a release can be held from the first write on
 * ```
 *
 * The progression of a release will be planned here, too: from the same observations, after the conditions.
 */
export function planRollout(observed: Observed): Plan {
  const { entry, scripts } = observed;
  const findings = [
    ...[accepted(observed), resolvedRefs(observed), scriptsReady(observed), expressible(observed)],
    ...intercepted(observed),
  ];
  const wanted = wantedArming(observed, findings);
  const bad = findings.find(({ status }) => status === 'False');
  const phase = phaseOf(observed);
  return {
    findings,
    phase,
    message: bad?.message ?? PHASE_MESSAGES[phase],
    scripts: scripts.flatMap(({ choice }) => usedScript(choice) ?? []),
    arm: wanted && needsArming(wanted) ? wanted : undefined,
    disarm: observed.carriers.filter((carrier) => carrier.directive.isArmed && !isWanted(carrier, wanted, entry)),
    afterMilliseconds: againAfter(observed),
  };
}

function againAfter({ obstacles, holder }: Observed): number | undefined {
  if (holder?.state === 'under way') return TAKEOVER_MILLISECONDS;
  return obstacles?.some(({ mayPass }) => mayPass) ? REPLAY_MILLISECONDS : undefined;
}

/** What is to be taken off when there is no such Rollout any more, and what is left for people to decide. */
export function planGone(carriers: readonly Carrier[]): { readonly disarm: Carrier[]; readonly left: Carrier[] } {
  return {
    disarm: carriers.filter(({ directive }) => directive.isArmed),
    left: carriers.filter(({ directive }) => !directive.isArmed),
  };
}

/** The script that is in use, also while a newer text is broken. */
export function usedScript(choice: ScriptChoice): Script | undefined {
  if (choice.state === 'ready') return choice.script;
  return choice.state === 'broken' ? choice.lastGood : undefined;
}

function accepted({ entry, isExcluded, rival, holder }: Observed): Finding {
  if (isExcluded) {
    const message = `metadata.namespace: Sluice keeps out of ${entry.stored.namespace} (kube-system, its own namespace and excludedNamespaces of its chart): nothing would be held or rewritten; create the Rollout and its workload in another namespace`;
    return no('Accepted', 'NamespaceExcluded', [message]);
  }
  const [problem, ...others] = entry.problems;
  if (problem !== undefined) return no('Accepted', 'Invalid', [problem, ...others]);
  if (rival !== undefined) {
    const message = `spec.workloadRef: Rollout ${rival} releases this workload already; one workload has one Rollout: delete one of them, or name another workload`;
    return no('Accepted', 'WorkloadTaken', [message]);
  }
  if (holder !== undefined && holder.state !== 'at rest')
    return no('Accepted', 'WorkloadTaken', [`spec.workloadRef: ${HELD[holder.state](holder.rollout)}`]);
  return yes('Accepted', 'Accepted', 'the Rollout can be carried out');
}

const HELD: Readonly<Record<Exclude<Holder['state'], 'at rest'>, (rollout: string) => string>> = {
  living: (rollout) =>
    `this workload is in a release of Rollout ${rollout}; it is released by this one when that is over, or that Rollout is deleted`,
  'under way': (rollout) =>
    `this workload is in a release of Rollout ${rollout}, which is gone; this one takes it over when traffic is back on the old version`,
};

/** Said where it is bad, and where people were told that it was. */
function intercepted({ entry, calling }: Observed): Finding[] {
  if (calling === 'undecided') return [];
  if (calling !== 'called') {
    const message = `API servers do not ask Sluice about writes, so that nothing is held or rewritten now: ${calling.reason}`;
    return [no('Intercepted', 'WebhooksNotCalled', [message])];
  }
  if (conditionOf(entry.stored.status['conditions'], 'Intercepted') === undefined) return [];
  return [yes('Intercepted', 'Intercepted', 'API servers ask Sluice about writes')];
}

function resolvedRefs(observed: Observed): Finding {
  const { entry, references } = observed;
  if (entry.rollout === undefined) return unknown('ResolvedRefs', 'Invalid', 'waits for a Rollout that can be read');
  const problems = references.flatMap(
    ({ reference, resolution }) => referenceProblem(reference, resolution, entry) ?? [],
  );
  const routing = routingProblem(observed);
  if (routing !== undefined) problems.push({ reason: 'ObjectNotFound', message: routing });
  const [first] = problems;
  if (first !== undefined)
    return no(
      'ResolvedRefs',
      first.reason,
      problems.map(({ message }) => message),
    );
  return yes('ResolvedRefs', 'ResolvedRefs', 'every object that the Rollout names is there');
}

function routingProblem({ routing, entry: { stored } }: Observed): string | undefined {
  if (routing === undefined) return undefined;
  const { name, path } = routing.reference;
  const place = `${fieldPath(path)}: `;
  switch (routing.state) {
    case 'missing':
      return `${place}there is no TrafficRouting ${name} in namespace ${stored.namespace}; create it, or correct the name`;
    case 'going':
      return `${place}TrafficRouting ${name} is being deleted; create it again, or name another one`;
    case 'found':
      return routing.problem && `${place}TrafficRouting ${name} cannot be carried out: ${routing.problem}`;
  }
}

type Problem = { readonly reason: ConditionReason; readonly message: string };

function referenceProblem(reference: Reference, resolution: Resolution, { stored }: RolloutEntry): Problem | undefined {
  const { role, kind, group, name, path } = reference;
  const problem = (reason: ConditionReason, text: string): Problem => ({
    reason,
    message: `${fieldPath(path)}: ${text}`,
  });
  const place = stored.namespace;
  if (role === 'workload' && !WORKLOAD_TYPES.has(kindKey(reference))) {
    return problem('KindNotSupported', `this version of Sluice releases Deployments only, and ${kind} not yet`);
  }
  const refusal = role === 'gateway' ? refusedGateway(reference) : undefined;
  if (refusal !== undefined) return problem('KindNotSupported', `${kind} cannot carry traffic: ${refusal}`);
  switch (resolution.state) {
    case 'found':
      return undefined;
    case 'missing': {
      return problem(
        NOT_FOUND[role],
        `there is no ${kind} ${name} in namespace ${place}; create it, or correct the name`,
      );
    }
    case 'notServed':
      return problem(
        'KindNotServed',
        `the cluster has no kind ${describedKind(reference)}; install its CustomResourceDefinition, or correct apiVersion and kind`,
      );
    case 'clusterScoped':
      return problem(
        'KindNotSupported',
        `${kind} is not namespaced; a Rollout can only name objects of its own namespace`,
      );
    case 'forbidden': {
      const { resource } = resolution;
      const role = gatewayClusterRole(resource);
      return problem(
        'MissingRights',
        `the controller may not read ${resource.plural}.${group}; let a cluster administrator apply this:\n${role}`,
      );
    }
  }
}

const NOT_FOUND = {
  workload: 'WorkloadNotFound',
  service: 'ServiceNotFound',
  gateway: 'ObjectNotFound',
  routing: 'ObjectNotFound',
} as const;

function describedKind({ group, kind }: GroupKind): string {
  return group === '' ? kind : `${kind} of ${group}`;
}

function scriptsReady({ entry, scripts }: Observed): Finding {
  if (entry.rollout === undefined) return unknown('ScriptsReady', 'Invalid', 'waits for a Rollout that can be read');
  const problems = scripts.flatMap(({ placed, choice }) => scriptProblem(placed, choice) ?? []);
  const [first] = problems;
  if (first !== undefined)
    return no(
      'ScriptsReady',
      first.reason,
      problems.map(({ message }) => message),
    );
  return yes('ScriptsReady', 'ScriptsReady', 'every gateway object has a script');
}

function scriptProblem({ target, path }: PlacedTarget, choice: ScriptChoice): Problem | undefined {
  const place = fieldPath(path);
  if (choice.state === 'missing') {
    const { request } = target;
    const what = request.contract === 'ingress' ? `Ingresses of class ${request.classType}` : request.kind;
    const message = `${place}: there is no script for ${what}; write one into ConfigMap kruise-rollout-configuration of Sluice's namespace under the key ${choice.key}`;
    return { reason: 'ScriptNotFound', message };
  }
  if (choice.state !== 'broken') return undefined;
  const rest =
    choice.lastGood === undefined
      ? 'there is no earlier text to use instead'
      : `its last good text (${choice.lastGood.hash}) stays in use`;
  return { reason: 'ScriptBroken', message: `${place}: ${choice.key}: ${choice.message}; ${rest}` };
}

function expressible({ entry, obstacles }: Observed): Finding {
  if (entry.rollout === undefined) return unknown('Expressible', 'Invalid', 'waits for a Rollout that can be read');
  if (obstacles === undefined)
    return unknown('Expressible', 'Waiting', 'waits for the objects and scripts that it needs');
  if (obstacles.length > 0)
    return no(
      'Expressible',
      'StepFails',
      obstacles.map(({ message }) => message),
    );
  return yes('Expressible', 'Expressible', 'every step can be carried out on the objects as they are');
}

/** By compat §2.1; phases of a release stay to whoever carries the release out. */
function phaseOf({ entry, references }: Observed): Plan['phase'] {
  if (entry.rollout?.spec?.disabled === true) return 'Disabled';
  const workload = references.find(({ reference }) => reference.role === 'workload');
  return workload?.resolution.state === 'found' ? 'Healthy' : 'Initial';
}

const PHASE_MESSAGES: Readonly<Record<Plan['phase'], string>> = {
  Initial: 'waits for the workload',
  Healthy: 'ready for the next release',
  Disabled: 'the Rollout is disabled',
};

/** Once armed a workload stays so while its Rollout stands: a Service that goes for a moment must not open a gap. */
function wantedArming(
  { entry, references, carriers, holder }: Observed,
  findings: readonly Finding[],
): Arming | undefined {
  const { rollout, stored } = entry;
  const isAccepted = findings.some(({ type, status }) => type === 'Accepted' && status === 'True');
  if (rollout === undefined || rollout.spec?.disabled === true || stored.isDeleting || !isAccepted) return undefined;
  const workload = references.find(({ reference }) => reference.role === 'workload');
  const type = workload && WORKLOAD_TYPES.get(kindKey(workload.reference));
  if (workload?.resolution.state !== 'found' || type === undefined || workload.resolution.seen.isDeleting)
    return undefined;
  const { seen, resource } = workload.resolution;
  const isResolved = findings.some(({ type: name, status }) => name === 'ResolvedRefs' && status === 'True');
  if (!isResolved && !carriers.some((carrier) => carrier.seen.uid === seen.uid)) return undefined;
  const key = directiveKey(stored.name);
  const taken = holder && named(holder.directive, stored);
  return {
    resource,
    seen,
    key,
    text: taken ?? encodeDirective(armedDirective(rollout)),
    workloadType: seen.workloadType === '' ? type : undefined,
    takenOver: holder && {
      directive: holder.directive,
      pins: holder.pins.flatMap((carrier) => {
        const text = named(carrier.directive, stored);
        return text === undefined ? [] : [{ carrier, key, text }];
      }),
    },
  };
}

/** The directive as one of this Rollout; undefined for one that this version cannot read. */
function named({ key, text }: CarriedDirective, { namespace, name, uid }: RolloutEntry['stored']): string | undefined {
  const directive = readDirective(key, text);
  return directive && encodeDirective({ ...directive, rollout: { namespace, name, uid } });
}

/** Whether the workload lacks directive or label. An active directive is left alone: a release runs, or somebody must look. */
export function needsArming({ seen, key, text, workloadType, takenOver }: Arming): boolean {
  if (takenOver !== undefined) return true;
  const present = seen.directives.find((directive) => directive.key === key);
  if (present !== undefined && !present.isArmed) return false;
  return present?.text !== text || workloadType !== undefined;
}

function isWanted(
  { seen, resource, directive }: Carrier,
  wanted: Arming | undefined,
  { stored }: RolloutEntry,
): boolean {
  if (wanted === undefined) return false;
  const isSameObject = seen.uid === wanted.seen.uid && resource.plural === wanted.resource.plural;
  // One of an earlier Rollout of the same name is written over.
  return isSameObject && (directive.rollout?.uid === stored.uid || directive.key === wanted.key);
}

/** The patch that arms a workload as it is now: one write, one annotation, one label. */
export function armingPatch(arming: Arming): JsonMap {
  const { seen, key, text, workloadType, takenOver } = arming;
  return {
    metadata: {
      resourceVersion: seen.resourceVersion,
      annotations: { [key]: text, ...(takenOver === undefined ? {} : { [takenOver.directive.key]: null }) },
      ...(workloadType === undefined ? {} : { labels: { [LABELS.workloadType]: workloadType } }),
    },
  };
}

function yes(type: Finding['type'], reason: ConditionReason, message: string): Finding {
  return { type, status: 'True', reason, message };
}

function no(type: Finding['type'], reason: ConditionReason, messages: readonly string[]): Finding {
  return { type, status: 'False', reason, message: messages.join('\n') };
}

function unknown(type: Finding['type'], reason: ConditionReason, message: string): Finding {
  return { type, status: 'Unknown', reason, message };
}
