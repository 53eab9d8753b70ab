import type { Because, CertificateAction, Observed } from './action.ts';
import { type CertificateSettings, type Pace, paceOf } from './pace.ts';
import { type Authority, bundleOf } from './secrets.ts';
import { canSign, issuerOf, servingAction } from './serving-plan.ts';
import { dueAt, iso } from './x509.ts';

/** The next write, if there is one (then look again at once), and after how many milliseconds to look again otherwise. */
export type CertificatePlan = { readonly action: CertificateAction | undefined; readonly after: number };

/**
 * Decides the next step. Pure: the same observation gives the same plan.
 *
 *                       authority Secret   serving   bundle    leaves the state when
 *   ┌► settled          A                  by A      A         A is due (2/3 of its life), or of no use
 *   │  announced        B A                by A      B A       every configuration has carried B for `settle`
 *   │  switched         B A                by B      B A       no ready webhook has served a certificate of A for `settle`
 *   └─ settled          B                  by B      B
 *
 * At every moment API servers trust the CA of each certificate that webhooks may serve. What a webhook serves is renewed
 * within any state, by the CA that signed it before. When the serving certificate is of no use (expired, not readable,
 * its CA gone) handshakes fail already: then one is issued at once, by the CA that most probably is trusted, and a rotation follows.
 *
 * A CA without a key, or out of its validity, cannot sign; it stays trusted for as long as something it signed is in use.
 * CAs may pile up (a third one falls due while configurations cannot be written): the rules speak of the newest and of the
 * serving certificate's issuer, never of two.
 */
export function planCertificates(observed: Observed, settings: CertificateSettings, now: number): CertificatePlan {
  const pace = paceOf(settings);
  const usable = observed.authorities.filter((authority) => canSign(authority, now));
  const action =
    authorityAction(observed, usable, now) ??
    servingAction(observed, usable, settings, pace, now) ??
    unusedAction(observed, usable, pace, now) ??
    bundleAction(observed);
  return { action, after: action ? 0 : lookAgain(observed, usable, pace, now) };
}

function authorityAction(
  { authorities, faults, toRepair }: Observed,
  [newest]: readonly Authority[],
  now: number,
): CertificateAction | undefined {
  const because = newest ? authorityDue(newest, now) : noAuthority(authorities[0], faults, now);
  if (because) return { kind: 'add authority', ...because };
  if (!toRepair) return undefined;
  const message = faults.join('; ') || 'ca.crt and ca.key are not as this controller writes them';
  return { kind: 'write authorities', reason: 'AuthoritySecretDamaged', message, authorities };
}

function authorityDue({ certificate }: Authority, now: number): Because | undefined {
  if (now < dueAt(certificate)) return undefined;
  return {
    reason: 'AuthorityDue',
    message: `two thirds of the CA's life are over; it ends ${iso(certificate.notAfter)}`,
  };
}

function noAuthority(first: Authority | undefined, faults: readonly string[], now: number): Because {
  const told = faults.length > 0 ? `: ${faults.join('; ')}` : '';
  if (!first) {
    if (told) return { reason: 'AuthoritySecretDamaged', message: `there is no usable CA${told}` };
    return { reason: 'AuthorityMissing', message: 'there is no CA yet' };
  }
  const { notBefore, notAfter } = first.certificate;
  if (now > notAfter) return { reason: 'AuthorityExpired', message: `the CA expired ${iso(notAfter)}` };
  if (now < notBefore) {
    return { reason: 'AuthorityNotYetValid', message: `the CA is valid from ${iso(notBefore)}; was a clock set back?` };
  }
  return { reason: 'AuthorityKeyMissing', message: `no CA has its key${told}` };
}

/** Takes away authorities that nothing needs any more: older than the issuer or of no use, and unused everywhere. */
function unusedAction(
  observed: Observed,
  usable: readonly Authority[],
  pace: Pace,
  now: number,
): CertificateAction | undefined {
  const { authorities, unused } = observed;
  const issuer = issuerOf(observed, now);
  if (!issuer) return undefined;
  const staying = authorities.filter((authority, at) => {
    const waiting = at < authorities.indexOf(issuer) && usable.includes(authority);
    const settled = (unused.get(authority.certificate.fingerprint) ?? -1) >= pace.settle;
    return authority === issuer || authority === usable[0] || waiting || !settled;
  });
  if (staying.length === authorities.length) return undefined;
  const message = `no webhook has served a certificate of an older CA for ${pace.settle} ms`;
  return { kind: 'write authorities', reason: 'AuthorityUnused', message, authorities: staying };
}

function bundleAction({ authorities, serving, published }: Observed): CertificateAction | undefined {
  if (serving.state !== 'sound' || published === bundleOf(authorities)) return undefined;
  return { kind: 'publish bundle', reason: 'BundleChanged', message: `${authorities.length} CAs are trusted now` };
}

/** Waits at rest end when something falls due or changes its validity; during a rotation others' progress is polled. */
function lookAgain({ authorities, serving }: Observed, usable: readonly Authority[], pace: Pace, now: number): number {
  if (authorities.length > 1) return pace.poll;
  const certificates = usable.map(({ certificate }) => certificate);
  if (serving.state === 'sound') certificates.push(serving.certificate);
  const times = certificates.flatMap((each) => [dueAt(each), each.notAfter + 1]);
  // Whole milliseconds upwards: a look a fraction too early would find nothing to do, again and again.
  const waits = times.map((time) => Math.ceil(time - now)).filter((wait) => wait > 0);
  return Math.min(pace.rest, ...waits);
}
