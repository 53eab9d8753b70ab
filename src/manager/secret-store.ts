import { stringAt } from '../json/value.ts';
import { outcomeOf } from '../kube/api-error.ts';
import { type Client, type KubeObject, resourceVersionOf } from '../kube/client.ts';
import { RESOURCES } from '../kube/resource.ts';
import { secretData } from '../kube/secret-data.ts';
import type { SecretStore } from '../tls/secrets.ts';

/** The Secrets of a namespace, read and written at the API server itself; `client` is fenced, as only the leader writes. */
export function secretStore(client: Client, namespace: string): SecretStore {
  /** As last read: it cannot be changed, and cert-manager leaves a Secret of type `kubernetes.io/tls` behind. */
  const types = new Map<string, string>();
  return {
    async read(name) {
      try {
        const secret = await client.get(RESOURCES.secret, { namespace, name });
        types.set(name, stringAt(secret, 'type') ?? 'Opaque');
        return { data: secretData(secret), resourceVersion: resourceVersionOf(secret) };
      } catch (error) {
        if (outcomeOf(error) === 'gone') return undefined;
        throw error;
      }
    },
    async write(name, data, resourceVersion) {
      const encoded = Object.fromEntries(
        Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
      );
      const type = resourceVersion === 'absent' ? 'Opaque' : (types.get(name) ?? 'Opaque');
      const object = (metadata: Record<string, string>): KubeObject => ({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { namespace, name, labels: { 'app.kubernetes.io/part-of': 'sluice' }, ...metadata },
        type,
        data: encoded,
      });
      try {
        if (resourceVersion === 'absent') await client.create(RESOURCES.secret, object({}));
        else await client.replace(RESOURCES.secret, object({ resourceVersion }));
        return 'written';
      } catch (error) {
        const outcome = outcomeOf(error);
        if (outcome === 'exists' || outcome === 'conflict' || outcome === 'gone') return 'conflict';
        throw error;
      }
    },
  };
}
