import { at, isMap } from '../../../src/json/value.ts';
import type { Client, KubeObject } from '../../../src/kube/client.ts';
import { Reflector } from '../../../src/kube/reflector.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { keyOf, nameOfKey } from '../../../src/kube/store.ts';

export type DataKind = 'ConfigMap' | 'Secret';
type Data = ReadonlyMap<string, Buffer>;

/** All ConfigMaps and Secrets of the cluster as they are now. */
export type Objects = {
  /** The bytes of each key; undefined when there is no such object. */
  data(kind: DataKind, namespace: string, name: string): Data | undefined;
  close(): void;
  /** Rejects when it cannot go on. */
  readonly finished: Promise<unknown>;
};

/**
 * Follows all ConfigMaps and Secrets.
 * @param onChange told after each change, with the namespace that it was in
 */
export function followObjects(client: Client, onChange: (namespace: string) => void): Objects {
  const follow = (kind: DataKind): Reflector<Data> => {
    const resource = kind === 'Secret' ? RESOURCES.secret : RESOURCES.configMap;
    const reflector = new Reflector<Data>({ client, resource, trim: (object) => dataOf(object, kind) });
    reflector.store.onChange(({ key }) => onChange(nameOfKey(key).namespace ?? ''));
    return reflector;
  };
  const kinds = { ConfigMap: follow('ConfigMap'), Secret: follow('Secret') };
  return {
    data: (kind, namespace, name) => kinds[kind].store.get(keyOf({ namespace, name })),
    close() {
      for (const reflector of Object.values(kinds)) reflector.close();
    },
    finished: Promise.all(Object.values(kinds).map((reflector) => reflector.finished)),
  };
}

function dataOf(object: KubeObject, kind: DataKind): Data {
  const data = new Map<string, Buffer>();
  for (const field of ['data', 'binaryData']) {
    const map = at(object, [field]);
    const encoding = kind === 'Secret' || field === 'binaryData' ? 'base64' : 'utf8';
    for (const [key, value] of Object.entries(isMap(map) ? map : {})) {
      data.set(key, Buffer.from(String(value), encoding));
    }
  }
  return data;
}
