import type { Client, KubeObject } from '../kube/client.ts';
import { Reflector } from '../kube/reflector.ts';
import { RESOURCES, type Resource } from '../kube/resource.ts';
import { CRD_NAMES } from '../registration/conversion.ts';
import type { View } from '../registration/keeper.ts';
import { SERVICE } from '../registration/render.ts';
import { readTemplates } from '../registration/templates.ts';

/**
 * Watches what the registration looks at: our configurations and CRDs, each by its name, and the webhooks' endpoints.
 * @param onUnwatched told why a watch cannot be kept: a right is missing, say
 * @param onFault told of a fault of ours, by which a watch has ended for good
 */
export function watchClusterView(
  client: Client,
  namespace: string,
  onUnwatched: (reason: string) => void,
  onFault: (error: unknown) => void,
): View & { close(): void } {
  const byName = (resource: Resource, name: string) =>
    new Reflector<KubeObject>({
      client,
      resource,
      selection: { fieldSelector: `metadata.name=${name}` },
      trim: (object) => object,
    });
  const configurations = readTemplates().map(
    ({ kind, name }) => [name, byName(configurationResource(kind), name)] as const,
  );
  const definitions = CRD_NAMES.map((name) => [name, byName(RESOURCES.customResourceDefinition, name)] as const);
  const objects = new Map([...configurations, ...definitions]);
  const slices = new Reflector<KubeObject>({
    client,
    resource: RESOURCES.endpointSlice,
    selection: { namespace, labelSelector: `kubernetes.io/service-name=${SERVICE}` },
    trim: (object) => object,
  });
  const all = [...objects.values(), slices];
  for (const reflector of all) {
    reflector.onState(({ message }) => message !== '' && onUnwatched(message));
    reflector.finished.catch(onFault);
  }
  return {
    synced: () => all.every((reflector) => reflector.hasSynced()),
    object: (name) => objects.get(name)?.store.get(name),
    slices: () => slices.store.values(),
    onChange(listener) {
      for (const reflector of all) reflector.synced().then(listener, () => undefined); // closed: nobody looks any more
      const ends = all.map(({ store }) => store.onChange(listener));
      return () => {
        for (const end of ends) end();
      };
    },
    close() {
      for (const reflector of all) reflector.close();
    },
  };
}

function configurationResource(kind: string): Resource {
  return kind === 'MutatingWebhookConfiguration'
    ? RESOURCES.mutatingWebhookConfiguration
    : RESOURCES.validatingWebhookConfiguration;
}
