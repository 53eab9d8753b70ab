import type { Client, KubeObject } from '../../../src/kube/client.ts';
import { Reflector } from '../../../src/kube/reflector.ts';
import { RESOURCES } from '../../../src/kube/resource.ts';
import { keyOf } from '../../../src/kube/store.ts';

/** The parts of a Service (core/v1) that are read here. */
export type Service = {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: {
    readonly clusterIP?: string;
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
  };
};

/** The parts of an EndpointSlice (discovery.k8s.io/v1) that are read here. */
type Slice = {
  readonly metadata: { readonly namespace: string; readonly labels?: Readonly<Record<string, string>> };
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean };
  }[];
  readonly ports?: readonly { readonly name?: string; readonly port?: number }[];
};

export type Endpoint = { readonly host: string; readonly port: number };

/** All Services and where they lead, as they are now. */
export type ServiceTable = {
  services(): Iterable<Service>;
  service(namespace: string, name: string): Service | undefined;
  /** The ready endpoints of a port; `portName` is empty for one without a name. */
  endpoints(service: Service, portName: string): Endpoint[];
  /** The addresses of all ready endpoints. */
  addresses(service: Service): string[];
  close(): void;
  /** Rejects when it cannot go on. */
  readonly finished: Promise<unknown>;
};

/** @param onChange told after each change of a Service or of an EndpointSlice */
export function followServices(client: Client, onChange: () => void): ServiceTable {
  const services = new Reflector({
    client,
    resource: RESOURCES.service,
    trim: (o: KubeObject) => o as unknown as Service,
  });
  const slices = new Reflector({
    client,
    resource: RESOURCES.endpointSlice,
    trim: (object: KubeObject) => object as unknown as Slice,
  });
  const byService = slices.store.index(({ metadata: { namespace, labels } }) => {
    const name = labels?.['kubernetes.io/service-name'];
    return name === undefined ? [] : [keyOf({ namespace, name })];
  });
  for (const { store } of [services, slices]) store.onChange(onChange);
  const slicesOf = ({ metadata }: Service): Slice[] =>
    [...byService.keys(keyOf(metadata))].map((key) => slices.store.get(key)).filter((slice) => slice !== undefined);
  return {
    services: () => services.store.values(),
    service: (namespace, name) => services.store.get(keyOf({ namespace, name })),
    endpoints: (service, portName) =>
      slicesOf(service).flatMap((slice) => {
        const port = slice.ports?.find(({ name = '' }) => name === portName)?.port;
        return port === undefined ? [] : readyAddresses(slice).map((host) => ({ host, port }));
      }),
    addresses: (service) => slicesOf(service).flatMap(readyAddresses),
    close() {
      services.close();
      slices.close();
    },
    finished: Promise.all([services.finished, slices.finished]),
  };
}

function readyAddresses({ endpoints }: Slice): string[] {
  return (endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses }) => addresses);
}
