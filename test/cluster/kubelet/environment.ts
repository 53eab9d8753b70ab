import { dirname } from 'node:path';
import { API_SERVER } from '../network.ts';
import { fieldValue, NotAvailable, type Place } from './downward.ts';
import { expand } from './expand.ts';
import { imageOf } from './images.ts';
import type { Objects } from './objects.ts';
import type { Container, EnvFrom, EnvVar, Pod } from './pod-object.ts';

/**
 * A container's environment: the image's, the cluster's, `envFrom`, `env`, each over the ones before.
 * @throws NotAvailable when an object or key that it needs is missing
 */
export function environmentOf(pod: Pod, container: Container, place: Place, objects: Objects): Record<string, string> {
  const variables: Record<string, string> = {
    PATH: `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: '/root',
    HOSTNAME: pod.metadata.name,
    ...imageOf(container.image)?.env(place.podIP),
    // Not the Service's address: there is no kube-proxy.
    KUBERNETES_SERVICE_HOST: API_SERVER.host,
    KUBERNETES_SERVICE_PORT: String(API_SERVER.port),
    KUBERNETES_SERVICE_PORT_HTTPS: String(API_SERVER.port),
  };
  for (const from of container.envFrom ?? []) Object.assign(variables, allOf(pod, from, objects));
  for (const entry of container.env ?? []) {
    const value = valueFor(pod, entry, place, objects, variables);
    if (value !== undefined) variables[entry.name] = value;
  }
  return variables;
}

function allOf(pod: Pod, { prefix = '', configMapRef, secretRef }: EnvFrom, objects: Objects): Record<string, string> {
  const ref = configMapRef ?? secretRef;
  if (ref === undefined) return {};
  const kind = configMapRef === undefined ? 'Secret' : 'ConfigMap';
  const data = objects.data(kind, pod.metadata.namespace, ref.name);
  if (data === undefined && !ref.optional) throw new NotAvailable(`${kind} "${ref.name}" not found`);
  return Object.fromEntries([...(data ?? [])].map(([key, bytes]) => [`${prefix}${key}`, bytes.toString('utf8')]));
}

function valueFor(
  pod: Pod,
  { name, value, valueFrom }: EnvVar,
  place: Place,
  objects: Objects,
  variables: Readonly<Record<string, string>>,
): string | undefined {
  if (valueFrom === undefined) return expand(value ?? '', variables);
  const { fieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
  if (fieldRef !== undefined) return fieldValue(pod, place, fieldRef.fieldPath);
  const ref = configMapKeyRef ?? secretKeyRef;
  if (ref === undefined) throw new NotAvailable(`env ${name}: this kind of valueFrom is not known to this kubelet`);
  const kind = configMapKeyRef === undefined ? 'Secret' : 'ConfigMap';
  const found = objects.data(kind, pod.metadata.namespace, ref.name)?.get(ref.key);
  if (found === undefined && !ref.optional) {
    throw new NotAvailable(`env ${name}: there is no key "${ref.key}" in ${kind} "${ref.name}"`);
  }
  return found?.toString('utf8');
}
