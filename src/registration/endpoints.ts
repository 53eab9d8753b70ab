import { at, isList, type Json, stringAt } from '../json/value.ts';

/** A webhook process that gets requests. */
export type Endpoint = {
  /** What tells it apart: the pod's uid, where there is a pod. */
  readonly id: string;
  /** For messages: the pod's name, or the address. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
};

/** The Service's port that API servers call; the chart gives it this name. */
const PORT_NAME = 'https';

/**
 * The ready endpoints of a Service, each pod once, in the order of their ids. Kubernetes wants consumers to take an
 * unset `ready` as true, and to forget duplicates among slices (discovery.k8s.io/v1).
 */
export function readyEndpoints(slices: Iterable<Json>): Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const slice of slices) for (const endpoint of endpointsOf(slice)) found.set(endpoint.id, endpoint);
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function endpointsOf(slice: Json): Endpoint[] {
  const port = portOf(slice);
  const endpoints = at(slice, ['endpoints']);
  if (port === undefined || !isList(endpoints)) return [];
  return endpoints.flatMap((endpoint) => {
    const address = stringAt(endpoint, 'addresses', 0);
    if (address === undefined || at(endpoint, ['conditions', 'ready']) === false) return [];
    const id = stringAt(endpoint, 'targetRef', 'uid') ?? address;
    return [{ id, name: stringAt(endpoint, 'targetRef', 'name') ?? address, address, port }];
  });
}

function portOf(slice: Json): number | undefined {
  const ports = at(slice, ['ports']);
  const found = isList(ports) ? ports.find((port) => stringAt(port, 'name') === PORT_NAME) : undefined;
  const port = at(found, ['port']);
  return typeof port === 'number' ? port : undefined;
}
