import { canaryName, LABELS } from '../api/names.ts';
import { isMap, type Json, type JsonMap, member, stringAt } from '../json/value.ts';
import { copiedMetadata } from './copied-metadata.ts';
import { type Beneficiary, ownMarks, workloadLabel } from './made-for.ts';

/** Labels and annotations that a Rollout puts on pods of the new version (`patchPodTemplateMetadata`). */
export type PodMetadata = { readonly labels?: JsonMap; readonly annotations?: JsonMap };

/**
 * The extra Deployment of the canary style: the new pod template, in a Deployment of Sluice's own beside the user's
 * (compat §3.5). Its selector has a label more than the user's, so that neither Deployment ever counts pods of the other.
 *
 * @param workload the user's Deployment as it is stored: with the new template.
 * @param ownSpec the user's own settings of the fields that a release rewrites.
 */
export function canaryDeployment(
  workload: JsonMap,
  ownSpec: JsonMap,
  replicas: number,
  podMetadata: PodMetadata,
  rollout: Beneficiary,
): JsonMap {
  const spec = isMap(workload['spec']) ? workload['spec'] : {};
  const name = stringAt(workload, 'metadata', 'name') ?? '';
  const own = { [LABELS.canaryDeployment]: workloadLabel(name) };
  const { labels } = copiedMetadata(workload['metadata']);
  const marks = ownMarks(rollout, 'Deployment', canaryName(name));
  const { paused: _1, template, selector, ...rest } = spec;
  const { paused: _2, ...settings } = ownSpec;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: canaryName(name),
      namespace: stringAt(workload, 'metadata', 'namespace') ?? '',
      labels: { ...labels, ...own, ...marks.labels },
      annotations: marks.annotations,
    },
    spec: {
      ...rest,
      ...settings,
      replicas,
      selector: narrowed(selector, own),
      template: marked(template, { ...podMetadata, labels: { ...podMetadata.labels, ...own } }),
    },
  };
}

function narrowed(selector: Json | undefined, labels: JsonMap): JsonMap {
  const matchLabels = member(selector, 'matchLabels');
  return {
    ...(isMap(selector) ? selector : {}),
    matchLabels: { ...(isMap(matchLabels) ? matchLabels : {}), ...labels },
  };
}

function marked(template: Json | undefined, { labels = {}, annotations }: PodMetadata): JsonMap {
  const metadata = member(template, 'metadata');
  const [before, notes] = [member(metadata, 'labels'), member(metadata, 'annotations')];
  return {
    ...(isMap(template) ? template : {}),
    metadata: {
      ...(isMap(metadata) ? metadata : {}),
      labels: { ...(isMap(before) ? before : {}), ...labels },
      ...(annotations === undefined ? {} : { annotations: { ...(isMap(notes) ? notes : {}), ...annotations } }),
    },
  };
}
