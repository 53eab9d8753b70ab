import type { Client } from '../kube/client.ts';
import { Reflector } from '../kube/reflector.ts';
import { RESOURCES } from '../kube/resource.ts';
import { secretData } from '../kube/secret-data.ts';
import { keyOf } from '../kube/store.ts';
import type { SecretWatch } from '../tls/watched-secret.ts';

/**
 * Watches single Secrets of a namespace: all that the webhook's account may read of them.
 * @param onUnwatched told why a watch cannot be kept: a right is missing, say
 */
export function secretWatch(client: Client, namespace: string, onUnwatched: (reason: string) => void): SecretWatch {
  return {
    watch(name, listener) {
      const reflector = new Reflector({
        client,
        resource: RESOURCES.secret,
        selection: { namespace, fieldSelector: `metadata.name=${name}` },
        trim: secretData,
      });
      reflector.onState(({ message }) => message !== '' && onUnwatched(message));
      reflector.store.onChange(({ after }) => listener(after));
      const tell = (): void => listener(reflector.store.get(keyOf({ namespace, name })));
      reflector.synced().then(tell, () => undefined); // closed before: nobody waits any more
      return () => reflector.close();
    },
  };
}
