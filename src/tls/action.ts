import type { Authority, Stored } from './secrets.ts';
import type { Settled } from './settling.ts';

/** Everything that a decision needs. */
export type Observed = Stored & Settled;

/** Why something is written; also the reason of the Event. */
export type CertificateReason =
  | 'AuthorityMissing'
  | 'AuthorityKeyMissing'
  | 'AuthorityExpired'
  | 'AuthorityNotYetValid'
  | 'AuthorityDue'
  | 'AuthoritySecretDamaged'
  | 'AuthorityUnused'
  | 'ServingMissing'
  | 'ServingUnreadable'
  | 'ServingKeyMismatch'
  | 'ServingExpired'
  | 'ServingNotYetValid'
  | 'ServingNotTrusted'
  | 'ServingDue'
  | 'HostsChanged'
  | 'AuthorityRotated'
  | 'BundleChanged';

/** Why, for machines and for people. */
export type Because = { readonly reason: CertificateReason; readonly message: string };

/** One write of one Secret. */
export type CertificateAction = Because &
  (
    | { readonly kind: 'add authority' }
    /** `authorities` are what stays. */
    | { readonly kind: 'write authorities'; readonly authorities: readonly Authority[] }
    | { readonly kind: 'issue serving'; readonly signer: Authority }
    | { readonly kind: 'publish bundle' }
  );
