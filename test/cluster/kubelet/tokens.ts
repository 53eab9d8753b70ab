import { stringAt } from '../../../src/json/value.ts';
import type { Client } from '../../../src/kube/client.ts';
import type { Pod, VolumeSource } from './pod-object.ts';

/** What the API gives when a pod asks for no other time. */
const DEFAULT_SECONDS = 3600;
/** A kubelet asks for a new token when this share of the old one's life is over. */
const RENEW_AT = 0.8;

type Wish = NonNullable<VolumeSource['serviceAccountToken']>;

/** Tokens of one pod's service account, from the TokenRequest API, bound to the pod and renewed in time. */
export class Tokens {
  readonly #client: Client;
  readonly #held = new Map<string, { token: string; renewAt: number }>();

  constructor(client: Client) {
    this.#client = client;
  }

  async token({ metadata, spec }: Pod, { audience, expirationSeconds = DEFAULT_SECONDS }: Wish): Promise<string> {
    const key = `${audience ?? ''} ${expirationSeconds}`;
    const held = this.#held.get(key);
    if (held !== undefined && Date.now() < held.renewAt) return held.token;
    const account = spec.serviceAccountName ?? 'default';
    const path = `/api/v1/namespaces/${metadata.namespace}/serviceaccounts/${account}/token`;
    const answer = await this.#client.ask(path, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience === undefined ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: metadata.name, uid: metadata.uid },
      },
    });
    const token = stringAt(answer, 'status', 'token') ?? '';
    this.#held.set(key, { token, renewAt: Date.now() + expirationSeconds * 1000 * RENEW_AT });
    return token;
  }
}
