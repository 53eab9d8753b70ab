import type { VolumeFile, VolumeFiles } from './atomic-folder.ts';
import { fieldValue, NotAvailable, type Place } from './downward.ts';
import type { DataKind, Objects } from './objects.ts';
import type { DownwardItem, KeyToPath, Pod, Volume, VolumeSource } from './pod-object.ts';
import type { Tokens } from './tokens.ts';

export type VolumeInputs = {
  readonly pod: Pod;
  readonly place: Place;
  readonly objects: Objects;
  readonly tokens: Tokens;
};

const DEFAULT_MODE = 0o644;

/**
 * The files of a volume as they should be now; undefined for an emptyDir, which is the pod's own.
 * @throws NotAvailable when an object, a key or the volume's kind is missing
 */
export async function filesOf(volume: Volume, inputs: VolumeInputs): Promise<VolumeFiles | undefined> {
  if (volume.emptyDir !== undefined) return undefined;
  const [sources, mode] = sourcesOf(volume);
  const files = new Map<string, VolumeFile>();
  for (const source of sources) {
    for (const [path, file] of await filesOfSource(source, mode, inputs)) files.set(path, file);
  }
  return files;
}

function sourcesOf(volume: Volume): [readonly VolumeSource[], number] {
  const { configMap, secret, downwardAPI, projected } = volume;
  const mode = (configMap ?? secret ?? downwardAPI ?? projected)?.defaultMode ?? DEFAULT_MODE;
  if (projected !== undefined) return [projected.sources ?? [], mode];
  if (configMap !== undefined) return [[{ configMap }], mode];
  if (secret !== undefined) return [[{ secret: { ...secret, name: secret.secretName } }], mode];
  if (downwardAPI !== undefined) return [[{ downwardAPI }], mode];
  throw new NotAvailable(`volume ${volume.name}: this kind of volume is not known to this kubelet`);
}

async function filesOfSource(source: VolumeSource, mode: number, inputs: VolumeInputs): Promise<VolumeFiles> {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  if (configMap !== undefined) return fromObject('ConfigMap', configMap, mode, inputs);
  if (secret !== undefined) return fromObject('Secret', secret, mode, inputs);
  if (downwardAPI !== undefined) return fromFields(downwardAPI.items ?? [], mode, inputs);
  if (serviceAccountToken !== undefined) {
    const token = await inputs.tokens.token(inputs.pod, serviceAccountToken);
    return new Map([[serviceAccountToken.path, { content: Buffer.from(token), mode }]]);
  }
  throw new NotAvailable('this kind of projected volume is not known to this kubelet');
}

function fromObject(
  kind: DataKind,
  { name, items, optional }: { name: string; items?: readonly KeyToPath[]; optional?: boolean },
  mode: number,
  { pod, objects }: VolumeInputs,
): VolumeFiles {
  const data = objects.data(kind, pod.metadata.namespace, name);
  if (data === undefined && !optional) throw new NotAvailable(`${kind} "${name}" not found`);
  const files = new Map<string, VolumeFile>();
  const wanted: readonly KeyToPath[] = items ?? [...(data?.keys() ?? [])].map(sameName);
  for (const { key, path, mode: own = mode } of wanted) {
    const content = data?.get(key);
    if (content !== undefined) files.set(path, { content, mode: own });
    else if (!optional) throw new NotAvailable(`there is no key "${key}" in ${kind} "${name}"`);
  }
  return files;
}

function sameName(key: string): KeyToPath {
  return { key, path: key };
}

function fromFields(items: readonly DownwardItem[], mode: number, { pod, place }: VolumeInputs): VolumeFiles {
  return new Map(
    items.map(({ path, fieldRef, mode: own = mode }) => {
      if (fieldRef === undefined) throw new NotAvailable(`${path}: resource fields are not known to this kubelet`);
      return [path, { content: Buffer.from(fieldValue(pod, place, fieldRef.fieldPath)), mode: own }];
    }),
  );
}
