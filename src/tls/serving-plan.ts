import type { Because, CertificateAction, Observed } from './action.ts';
import type { CertificateSettings, Pace } from './pace.ts';
import type { Authority } from './secrets.ts';
import { dueAt, iso, namesHosts, signedBy, validAt } from './x509.ts';

/** The next write of the serving certificate: at once when it is of no use, in time when it works. */
export function servingAction(
  observed: Observed,
  usable: readonly Authority[],
  settings: CertificateSettings,
  pace: Pace,
  now: number,
): CertificateAction | undefined {
  const needed = servingUseless(observed, now);
  if (needed) {
    const signer = mostTrusted(observed, usable, pace);
    return signer && { kind: 'issue serving', signer, ...needed };
  }
  return servingWanted(observed, usable, settings, pace, now);
}

/** Why no handshake can succeed with the serving certificate; undefined when it can. */
function servingUseless({ serving, authorities }: Observed, now: number): Because | undefined {
  const { state } = serving;
  if (state !== 'sound') return { reason: SERVING_FAULTS[state], message: serving.message };
  const { notBefore, notAfter } = serving.certificate;
  if (now > notAfter) return { reason: 'ServingExpired', message: `the serving certificate expired ${iso(notAfter)}` };
  if (now < notBefore) {
    const message = `the serving certificate is valid from ${iso(notBefore)}; was a clock set back?`;
    return { reason: 'ServingNotYetValid', message };
  }
  if (issuerOf({ serving, authorities }, now)) return undefined;
  return { reason: 'ServingNotTrusted', message: 'the serving certificate is signed by no valid CA' };
}

const SERVING_FAULTS = {
  missing: 'ServingMissing',
  unreadable: 'ServingUnreadable',
  mismatched: 'ServingKeyMismatch',
} as const;

/** The valid authority that signed the serving certificate. */
export function issuerOf({ serving, authorities }: Pick<Observed, 'serving' | 'authorities'>, now: number) {
  if (serving.state !== 'sound') return undefined;
  return authorities.find(({ certificate }) => validAt(certificate, now) && signedBy(serving.certificate, certificate));
}

/** The newest authority that API servers are sure to trust. */
function newestSettled({ carried }: Observed, usable: readonly Authority[], pace: Pace): Authority | undefined {
  return usable.find(({ certificate }) => (carried.get(certificate.fingerprint) ?? -1) >= pace.settle);
}

/** Who signs when there is no time to wait: a settled one, else the one carried longest, among equals the oldest. */
function mostTrusted(observed: Observed, usable: readonly Authority[], pace: Pace): Authority | undefined {
  const carriedFor = ({ certificate }: Authority) => observed.carried.get(certificate.fingerprint) ?? -1;
  const [longest] = usable.toReversed().toSorted((a, b) => carriedFor(b) - carriedFor(a));
  return newestSettled(observed, usable, pace) ?? longest;
}

/** A renewal of a serving certificate that still works. */
function servingWanted(
  observed: Observed,
  usable: readonly Authority[],
  settings: CertificateSettings,
  pace: Pace,
  now: number,
): CertificateAction | undefined {
  const { serving, authorities } = observed;
  const issuer = issuerOf(observed, now);
  if (serving.state !== 'sound' || !issuer) return undefined;
  const { certificate } = serving;
  const settled = newestSettled(observed, usable, pace);
  if (settled && authorities.indexOf(settled) < authorities.indexOf(issuer)) {
    const message = `every configuration has carried the new CA for ${pace.settle} ms`;
    return { kind: 'issue serving', signer: settled, reason: 'AuthorityRotated', message };
  }
  // A CA that is newer than the settled one signs again what it signed before: webhooks serve it already.
  if (!canSign(issuer, now)) return undefined;
  const young = now - certificate.notBefore < pace.backDate + pace.quiet;
  if (!young && !namesHosts(certificate, settings.hosts)) {
    const message = `the serving certificate is for ${certificate.x509.subjectAltName ?? 'nothing'}`;
    return { kind: 'issue serving', signer: issuer, reason: 'HostsChanged', message };
  }
  const gain = servingEnd(issuer, settings, now) - certificate.notAfter;
  if (now < dueAt(certificate) || gain < pace.quiet) return undefined;
  const message = `two thirds of the serving certificate's life are over; it ends ${iso(certificate.notAfter)}`;
  return { kind: 'issue serving', signer: issuer, reason: 'ServingDue', message };
}

/** The end of a serving certificate that is issued now: every certificate of a chain must be valid (RFC 5280, 6.1.3 (a)(2)). */
export function servingEnd(signer: Authority, { servingLifetime }: CertificateSettings, now: number): number {
  return Math.min(now + servingLifetime, signer.certificate.notAfter);
}

/** Whether an authority has its key and is in its validity. */
export function canSign({ certificate, key }: Authority, now: number): boolean {
  return key !== undefined && validAt(certificate, now);
}
