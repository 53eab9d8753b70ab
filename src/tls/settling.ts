import type { Stored } from './secrets.ts';
import { type Certificate, readBundle, readCertificate, signedBy } from './x509.ts';

/** What the cluster uses at this moment. */
export type InUse = {
  /** The `caBundle` of each webhook configuration and each CRD that points at our Service, in PEM; empty where none is set. */
  readonly bundles: readonly string[];
  /** The certificate that each ready webhook serves, in PEM. */
  readonly served: readonly string[];
};

/** For each authority, by fingerprint: for how many milliseconds it has been so. Absent: it is not so. */
export type Settled = {
  /** Every bundle carries it. */
  readonly carried: ReadonlyMap<string, number>;
  /** Neither the serving Secret nor any ready webhook has a certificate that it signed. */
  readonly unused: ReadonlyMap<string, number>;
};

/** Nothing is known of what the cluster uses. */
export const NOTHING_SETTLED: Settled = { carried: new Map(), unused: new Map() };

/**
 * Measures how long things have been so. The times are kept in memory, on a clock that nobody sets: a keeper that starts
 * waits anew, and a wall clock that jumps ahead does not make a rotation careless.
 */
export function measureSettling(): (stored: Stored, inUse: InUse, monotonic: number) => Settled {
  let carriedSince = new Map<string, number>();
  let unusedSince = new Map<string, number>();
  return (stored, { bundles, served }, monotonic) => {
    const certificates = stored.authorities.map(({ certificate }) => certificate);
    const carried = certificates.filter(carriedByAll(bundles));
    const unused = certificates.filter(unusedByAll(stored, served));
    carriedSince = since(carriedSince, carried, monotonic);
    unusedSince = since(unusedSince, unused, monotonic);
    return { carried: elapsed(carriedSince, monotonic), unused: elapsed(unusedSince, monotonic) };
  };
}

function carriedByAll(bundles: readonly string[]): (certificate: Certificate) => boolean {
  const fingerprints = bundles.map((text) => new Set(readBundle(text).certificates.map((each) => each.fingerprint)));
  return ({ fingerprint }) => fingerprints.every((bundle) => bundle.has(fingerprint));
}

function unusedByAll({ serving }: Stored, served: readonly string[]): (certificate: Certificate) => boolean {
  const inUse = served.map((pem) => {
    try {
      return readCertificate(pem);
    } catch {
      return 'unknown';
    }
  });
  if (serving.state === 'sound') inUse.push(serving.certificate);
  // What nobody can read may be anybody's.
  return (authority) => inUse.every((each) => each !== 'unknown' && !signedBy(each, authority));
}

function since(before: Map<string, number>, now: readonly Certificate[], monotonic: number): Map<string, number> {
  return new Map(now.map(({ fingerprint }) => [fingerprint, before.get(fingerprint) ?? monotonic]));
}

function elapsed(since: Map<string, number>, monotonic: number): Map<string, number> {
  return new Map([...since].map(([fingerprint, start]) => [fingerprint, monotonic - start]));
}
