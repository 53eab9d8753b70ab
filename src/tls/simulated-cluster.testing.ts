import type { Clock } from './clock.ts';
import { type CertificateKeeper, type CertificateWrite, keepCertificates } from './keeper.ts';
import { MemorySecrets } from './memory-secrets.testing.ts';
import type { CertificateSettings } from './pace.ts';
import { AUTHORITY_SECRET, SERVING_SECRET, type SecretData, type SecretStore } from './secrets.ts';
import type { VirtualTime } from './virtual-time.testing.ts';
import type { Issuer } from './written.ts';
import { type Certificate, readBundle, readCertificate, signedBy, validAt } from './x509.ts';

/** The longest times, in milliseconds, and how often things go wrong. */
export type Weather = {
  readonly configurationDelay: number;
  readonly apiServerDelay: number;
  readonly webhookDelay: number;
  /** Each keeper's clock is at most so far ahead or behind. */
  readonly skew: number;
  /** The chance of a crash at each access to a Secret. */
  readonly crash: number;
  /** Below 1: drawn anew for each delay. */
  readonly random: () => number;
};

const CONFIGURATIONS = 3;
const API_SERVERS = 3;
const WEBHOOKS = 3;

type Seen<T> = { value: T; version: number };

/** API servers that trust the bundles they saw, webhooks that serve the pair they saw, and keepers that die. */
export class SimulatedCluster {
  readonly secrets = new MemorySecrets();
  readonly writes: CertificateWrite[] = [];
  readonly problems: string[] = [];
  /** Fingerprints of all CAs that ever were in the authority Secret. */
  readonly authorities = new Set<string>();
  crashes = 0;
  readonly #configurations = Array.from({ length: CONFIGURATIONS }, () => ({ value: '', version: 0 }));
  readonly #seen = Array.from({ length: API_SERVERS }, () => this.#configurations.map((each) => ({ ...each })));
  readonly #served = Array.from({ length: WEBHOOKS }, (): Seen<string> => ({ value: '', version: 0 }));
  readonly #time: VirtualTime;
  readonly #weather: Weather;
  readonly #settings: CertificateSettings;
  readonly #issuer: Issuer;
  #keeper: CertificateKeeper | undefined;
  #generation = 0;
  #version = 0;

  constructor(time: VirtualTime, weather: Weather, settings: CertificateSettings, issuer: Issuer) {
    this.#time = time;
    this.#weather = weather;
    this.#settings = settings;
    this.#issuer = issuer;
    this.secrets.watch(SERVING_SECRET, (data) => this.#servingChanged(data));
    this.secrets.watch(AUTHORITY_SECRET, (data) => {
      for (const { fingerprint } of readBundle(data?.['ca.crt'] ?? '').certificates) this.authorities.add(fingerprint);
    });
  }

  startKeeper(): void {
    const generation = ++this.#generation;
    this.#keeper = keepCertificates({
      settings: this.#settings,
      secrets: this.#mortal(generation),
      inUse: () =>
        Promise.resolve({
          bundles: this.#configurations.map(({ value }) => value),
          served: this.#served.filter(({ value }) => value !== '').map(({ value }) => value),
        }),
      issuer: this.#issuer,
      clock: this.#clock(),
      onWrite: (write) => this.writes.push(write),
      onProblem: ({ message }) => this.problems.push(message),
    });
    this.#keeper.onTrusted((bundle) => this.#apply(bundle, generation));
  }

  /** A webhook that starts reads the Secret as it is. */
  restartWebhook(at: number): void {
    const webhook = this.#served[at % WEBHOOKS];
    const value = this.secrets.data(SERVING_SECRET)['tls.crt'];
    if (webhook && value) Object.assign(webhook, { value, version: ++this.#version });
  }

  /** The reason why some API server cannot call some webhook now; undefined when all can. */
  failure(): string | undefined {
    for (const [server, bundles] of this.#seen.entries()) {
      for (const { value: bundle } of bundles) {
        for (const [webhook, { value }] of this.#served.entries()) {
          const why = handshakeFailure(bundle, value, this.#settings.hosts, this.#time.now());
          if (why) return `API server ${server} to webhook ${webhook}: ${why}`;
        }
      }
    }
    return undefined;
  }

  #clock(): Clock {
    return this.#time.ahead((this.#weather.random() * 2 - 1) * this.#weather.skew);
  }

  #mortal(generation: number): SecretStore {
    const danger = (): void => {
      if (generation !== this.#generation) throw new Error('this process is dead');
      if (this.#weather.random() >= this.#weather.crash) return;
      this.#crash();
      throw new Error('crashed');
    };
    return {
      read: async (name) => {
        danger();
        return await this.secrets.read(name);
      },
      write: async (name, data, version) => {
        danger();
        const outcome = await this.secrets.write(name, data, version);
        danger();
        return outcome;
      },
    };
  }

  #crash(): void {
    this.crashes++;
    this.#generation++;
    void this.#keeper?.close();
    this.#later(this.#weather.configurationDelay, () => this.startKeeper());
  }

  #apply(bundle: string, generation: number): void {
    for (const at of this.#configurations.keys()) {
      this.#later(this.#weather.configurationDelay, () => {
        // A dead process writes nothing, and one that lives writes what it says now.
        if (generation === this.#generation && this.#keeper?.trusted() === bundle) this.#configure(at, bundle);
      });
    }
  }

  #configure(at: number, value: string): void {
    const version = ++this.#version;
    this.#configurations[at] = { value, version };
    for (const bundles of this.#seen) {
      this.#later(this.#weather.apiServerDelay, () => see(bundles[at], value, version));
    }
  }

  #servingChanged(data: SecretData | undefined): void {
    const value = data?.['tls.crt'];
    if (!value) return;
    const version = ++this.#version;
    for (const webhook of this.#served) this.#later(this.#weather.webhookDelay, () => see(webhook, value, version));
  }

  #later(longest: number, callback: () => void): void {
    this.#time.after(Math.floor(this.#weather.random() * longest), callback);
  }
}

function see(seen: Seen<string> | undefined, value: string, version: number): void {
  if (seen && seen.version < version) Object.assign(seen, { value, version });
}

const verified = new Map<string, { leaf: Certificate; signers: Certificate[] }>();

/** What a TLS client checks: a signature by a trusted CA, both validities, and the host's name. */
export function handshakeFailure(bundle: string, served: string, hosts: readonly string[], now: number) {
  if (served === '') return 'serves nothing';
  const { leaf, signers } = chain(bundle, served);
  if (!validAt(leaf, now)) return `the certificate is valid ${leaf.x509.validFrom} to ${leaf.x509.validTo}`;
  const host = hosts.find((each) => leaf.x509.checkHost(each) === undefined);
  if (host !== undefined) return `the certificate is not for ${host}`;
  if (signers.some((each) => validAt(each, now))) return undefined;
  return signers.length > 0 ? 'the CA is out of its validity' : 'the CA is not trusted';
}

function chain(bundle: string, served: string): { leaf: Certificate; signers: Certificate[] } {
  const key = bundle + served;
  let found = verified.get(key);
  if (!found) {
    const leaf = readCertificate(served);
    found = { leaf, signers: readBundle(bundle).certificates.filter((each) => signedBy(leaf, each)) };
    if (verified.size > 5000) verified.clear();
    verified.set(key, found);
  }
  return found;
}
