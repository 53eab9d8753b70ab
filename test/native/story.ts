import { type JsonMap, stringAt } from '../../src/json/value.ts';
import type { Resource } from '../../src/kube/resource.ts';
import { isTerminating, mapAt, nameAndNamespace, numberAt } from './fields.ts';
import { isReady } from './replica-set.ts';

/** A write, with the object as it was after it. */
export type StoredWrite = {
  /** Since the clock began. */
  readonly milliseconds: number;
  readonly who: string;
  /** `creates`, `updates` or `removes`. */
  readonly verb: string;
  readonly resource: Resource;
  readonly object: JsonMap;
};

/** One line about a write, for whoever reads how a test came to fail. */
export function storyLine({ milliseconds, who, verb, resource, object }: StoredWrite): string {
  const { name } = nameAndNamespace(object);
  return `${(milliseconds / 1000).toFixed(1)} s ${who} ${verb} ${resource.kind} ${name}${gist(resource, object)}`;
}

/** What tells one write of a kind from the next. */
function gist({ kind }: Resource, object: JsonMap): string {
  const [spec, status] = [mapAt(object, 'spec'), mapAt(object, 'status')];
  switch (kind) {
    case 'ReplicaSet':
      return `: ${spec['replicas']}, ${numberAt(status, 0, 'readyReplicas')} ready`;
    case 'Pod':
      return isTerminating(object) ? ', ending' : isReady(object) ? ', ready' : `, ${status['phase']}`;
    case 'Deployment':
      return `: ${stringAt(spec, 'template', 'spec', 'containers', 0, 'image')} ${spec['replicas']}, ${pace(spec)}`;
    default:
      return '';
  }
}

function pace(spec: JsonMap): string {
  const { maxSurge, maxUnavailable } = mapAt(spec, 'strategy', 'rollingUpdate');
  const move = spec['paused'] === true ? 'paused' : 'moves';
  return `${move} (${maxUnavailable}, ${maxSurge}), minReadySeconds ${numberAt(spec, 0, 'minReadySeconds')}`;
}
