import type { Client } from '../kube/client.ts';
import { Reflector } from '../kube/reflector.ts';
import { RESOURCES } from '../kube/resource.ts';
import { secretData } from '../kube/secret-data.ts';
import { keyOf } from '../kube/store.ts';
import type { SecretWatch } from '../tls/watched-secret.ts';

/** Watches single Secrets of a namespace: all that the webhook's account may read of them. */
export function secretWatch(client: Client, namespace: string): SecretWatch {
  return {
    watch(name, listener) {
      const reflector = new Reflector({
        client,
        resource: RESOURCES.secret,
        selection: { namespace, fieldSelector: `metadata.name=${name}` },
        trim: secretData,
      });
      reflector.store.onChange(({ after }) => listener(after));
      const tell = (): void => listener(reflector.store.get(keyOf({ namespace, name })));
      reflector.synced().then(tell, () => undefined); // closed before: nobody waits any more
      return () => reflector.close();
    },
  };
}
