import { split } from './floors.ts';
import { joined } from './joining.ts';
import { type Decision, go, type Look, merged, stay } from './look.ts';
import { reach } from './network.ts';
import type { SetWish } from './observed.ts';
import { ownRoom, unmarked } from './pods.ts';
import { type FinalisingStep, NO_TRAFFIC, type ReleaseRecord } from './record.ts';
import { retreat } from './retreat.ts';
import { atWeight } from './settings.ts';

/**
 * The closing sequences (compat §2.8, with the order that keeps traffic on living pods):
 *
 * ```
 *  forward            RestoreStableService ─► RouteTrafficToStable ─► RemoveCanaryService ─► ResumeWorkload ─► Release ─► END
 *  blue-green         RouteTrafficToNew ─► (delay) ─► RestoreStableService ─► ResumeWorkload ─► RouteTrafficToStable ─► … ─► END
 *  rollback           RouteTrafficToStable ─► ReleaseWorkloadControl ─► ResumeWorkload ─► RestoreStableService ─► … ─► END
 *  abort, failure     RouteTrafficToStable ─► ReleaseWorkloadControl ─► RestoreStableService ─► … ─► held until somebody decides
 * ```
 */
export function finish(look: Look): Decision {
  const { outcome } = look.record;
  switch (outcome) {
    case 'Success':
      return look.observed.style === 'blueGreen' ? blueGreen(look) : forward(look);
    case 'Disabled':
      return forward(look);
    case 'Deleted':
      return look.settings.onDelete === 'complete' ? forward(look) : back(look);
    case 'WorkloadGone':
      return gone(look);
    default:
      return back(look);
  }
}

/** There is nothing to give back, and nothing that needs traffic. */
function gone(look: Look): Decision {
  const { finalising } = look.record;
  if (finalising === 'END') return ended();
  return finalising === 'ReleaseWorkloadControl' ? released(look) : opening(look, to('ReleaseWorkloadControl'));
}

function forward(look: Look): Decision {
  switch (look.record.finalising) {
    case 'ResumeWorkload':
      return resumed(look, 'ReleaseWorkloadControl');
    case 'ReleaseWorkloadControl':
      return released(look);
    case 'END':
      return ended();
    default:
      return joined(look) ?? opening(look, to('ResumeWorkload'));
  }
}

function blueGreen(look: Look): Decision {
  const { record, settings, now, versions, observed } = look;
  switch (record.finalising) {
    case undefined:
      return to('FinalisingStepRouteTrafficToNew');
    case 'FinalisingStepRouteTrafficToNew': {
      const traffic = atWeight(settings, settings.steps.length, 100);
      const network = settings.isSteered ? split(look, traffic) : undefined;
      if (network !== undefined && !network.isReached) return stay(look, network.wish, network);
      const since = network?.settled.networkTime ?? record.stateTime;
      const left = since + settings.scaleDownDelayMilliseconds - now;
      if (left <= 0) return go({ finalising: 'RestoreStableService', ...network?.settled });
      const waitingFor = 'the delay for which the old pods are kept; the way back is instant until then';
      return stay(look, network?.wish ?? {}, { waitingFor, after: left, isExpected: true, settled: network?.settled });
    }
    case 'RestoreStableService': {
      const isOpen = observed.services.every(({ pin, isInEffect }) => pin === undefined && isInEffect);
      if (isOpen) return to('ResumeWorkload');
      return stay(look, { pin: 'none' }, { waitingFor: 'the stable Services to select both versions' });
    }
    case 'ResumeWorkload': {
      const { stable, others } = versions;
      const idle = [stable, ...others].filter((set) => set !== undefined && set.desired + set.created > 0);
      const isHeld = observed.workload?.directive !== undefined;
      if (!isHeld || idle.length === 0) return resumed(look, 'FinalisingStepRouteTrafficToStable');
      const sets = idle.map((set): SetWish => ({ name: set?.name ?? '', replicas: 0, floor: '', podMetadata: '' }));
      return stay(look, { sets }, { waitingFor: 'the old pods to go' });
    }
    case 'ReleaseWorkloadControl':
      return released(look);
    case 'END':
      return ended();
    default:
      return opening(look, to('ReleaseWorkloadControl'));
  }
}

function back(look: Look): Decision {
  const { record } = look;
  const isHeld = record.outcome === 'Abort' || record.outcome === 'Failure' || record.outcome === 'Deleted';
  switch (record.finalising) {
    case 'ResumeWorkload':
      return resumed(look, 'RestoreStableService');
    case 'RestoreStableService':
    case 'RemoveCanaryService':
      return opening(look, isHeld && record.outcome !== 'Deleted' ? held(look) : to('END'));
    case 'END':
      return ended();
    default: {
      const way = retreat(look);
      const stage = way.isQuiet ? 'ReleaseWorkloadControl' : 'FinalisingStepRouteTrafficToStable';
      if (way.isReached) return to(isHeld ? 'RestoreStableService' : 'ResumeWorkload', way.settled);
      if (record.finalising !== stage) return to(stage, way.settled);
      return stay(look, way.wish, way);
    }
  }
}

/** Takes Services and gateway objects back to what they are without a release, and goes on from there. */
function opening(look: Look, then: Decision): Decision {
  const network = reach({ to: 'open' }, look.place);
  if (network.isReached) return then.kind === 'go' ? { ...then, change: { ...network.settled, ...then.change } } : then;
  const stage = network.stage ?? 'RestoreStableService';
  if (isForwardStage(look) && look.record.finalising !== stage) return to(stage, network.settled);
  return stay(look, network.wish, network);
}

/** Where the parts of opening are no part of another sequence, they are named one by one. */
function isForwardStage({ record, observed }: Look): boolean {
  return record.outcome === 'Disabled' || (record.outcome === 'Success' && observed.style !== 'blueGreen');
}

/** Gives the workload back to its owner's settings, and waits until the native controller is done with them. */
function resumed(look: Look, next: FinalisingStep): Decision {
  const { observed, record } = look;
  const { workload } = observed;
  if (workload === undefined) return to(next);
  const { replicas, updated, available, total } = workload;
  // A floor would keep the native controller from taking the last old pod; and when the workload is its owner's again,
  // nothing leads to what else would be left of a Rollout that is deleted now.
  const sets = unmarked(look.observed.workload);
  if (sets.length > 0) return stay(look, { sets }, { waitingFor: 'the marks of the release to go from ReplicaSets' });
  const isFree = workload.directive === undefined && workload.isInEffect && workload.isObserved;
  const isRolled = updated >= replicas && total <= updated && available + ownRoom(workload).unavailable >= replicas;
  if (isFree && (record.outcome !== 'Success' || isRolled || workload.own.isPaused)) return to(next);
  return stay(
    look,
    { workload: 'armed' },
    {
      waitingFor: isFree
        ? `the native rollout (${updated} of ${replicas} pods are of the new version, ${available} are available)`
        : 'the workload to be given back to its own settings',
    },
  );
}

function released(look: Look): Decision {
  const sets = unmarked(look.observed.workload);
  if (sets.length === 0 && look.observed.canary === undefined) return to('END');
  const wish = merged({ canaryDeployment: 'absent' }, { sets });
  return stay(look, wish, { waitingFor: 'what belongs to the release to go' });
}

/** The new version stays stored, and nothing of it runs. */
function held({ record }: Look): Decision {
  return go({
    reason: 'Paused',
    state: 'BeforeStepUpgrade',
    step: 1,
    next: record.next,
    finalising: undefined,
    traffic: NO_TRAFFIC,
  });
}

function to(finalising: FinalisingStep, settled: Partial<ReleaseRecord> = {}): Decision {
  return go({ finalising, ...settled });
}

function ended(): Decision {
  return go({ reason: 'Completed' });
}
