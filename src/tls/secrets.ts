import { createPrivateKey } from 'node:crypto';
import type { Issued } from './generate.ts';
import { type Certificate, readBundle, readCertificate, readKeys, signedBy } from './x509.ts';

/** The controller's own: `ca.crt` has all authorities in PEM, newest first; `ca.key` their private keys in any order. */
export const AUTHORITY_SECRET = 'sluice-authority';
/** What webhooks serve: `tls.crt`, `tls.key` and the bundle `ca.crt`, named as in a Secret of cert-manager. */
export const SERVING_SECRET = 'sluice-webhook-tls';

/** A Secret's data as text (already decoded from base64), by key. */
export type SecretData = Readonly<Record<string, string>>;

/**
 * Secrets of one namespace with optimistic locking. Errors of passing nature are thrown; the keeper tries again.
 * `read` must not answer from a cache: what was just written has to be seen.
 */
export interface SecretStore {
  read(name: string): Promise<{ readonly data: SecretData; readonly resourceVersion: string } | undefined>;
  /** Replaces the whole data. `absent` means: make it, and it is a conflict when it is there already. */
  write(name: string, data: SecretData, resourceVersion: string | 'absent'): Promise<'written' | 'conflict'>;
}

/** A CA that is trusted, and that can sign when its key is at hand. */
export type Authority = { readonly certificate: Certificate; readonly key: string | undefined };

/** The pair in the serving Secret, or what is wrong with it. */
export type Serving =
  | { readonly state: 'sound'; readonly certificate: Certificate; readonly key: string }
  | { readonly state: 'missing' | 'unreadable' | 'mismatched'; readonly message: string };

/** Both Secrets, read. */
export type Stored = {
  /** Newest first. */
  readonly authorities: readonly Authority[];
  /** What was wrong with the authority Secret; never holds a key. */
  readonly faults: readonly string[];
  /** The authority Secret says something else than `authorities` and should be written anew. */
  readonly toRepair: boolean;
  readonly serving: Serving;
  /** `ca.crt` of the serving Secret. */
  readonly published: string;
};

/**
 * Reads both Secrets. Whatever cannot be used is left out and told as a fault. Should the CA that signed the serving
 * certificate be gone from the authority Secret, it is taken from the serving Secret's bundle, without a key: API
 * servers go on trusting what webhooks serve while another CA takes its place.
 */
export function readStored(authorityData: SecretData = {}, servingData: SecretData = {}): Stored {
  const faults: string[] = [];
  const serving = readServing(servingData);
  const published = servingData['ca.crt'] ?? '';
  const certificates = readAuthorities(authorityData['ca.crt'] ?? '', faults);
  const lost = lostAuthority(serving, certificates, published);
  if (lost) faults.push(`the CA of the serving certificate is not in ca.crt of ${AUTHORITY_SECRET}`);
  const authorities = withKeys(lost ? [...certificates, lost] : certificates, authorityData['ca.key'] ?? '', faults);
  const wanted = authorityDataOf(authorities);
  const toRepair = ['ca.crt', 'ca.key'].some((key) => (authorityData[key] ?? '') !== wanted[key]);
  return { authorities, faults, toRepair, serving, published };
}

/** The bundle: the certificates of all authorities in PEM, newest first. */
export function bundleOf(authorities: readonly Authority[]): string {
  return authorities.map(({ certificate }) => certificate.pem).join('');
}

/** The data of the authority Secret. */
export function authorityDataOf(authorities: readonly Authority[]): SecretData {
  return { 'ca.crt': bundleOf(authorities), 'ca.key': authorities.map(({ key }) => key ?? '').join('') };
}

/** The data of the serving Secret. */
export function servingDataOf({ certificate, key }: Issued, bundle: string): SecretData {
  return { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': bundle };
}

function readAuthorities(text: string, faults: string[]): Certificate[] {
  const { certificates, unreadable } = readBundle(text);
  if (unreadable > 0) faults.push(`ca.crt of ${AUTHORITY_SECRET} holds something that is no certificate`);
  // RFC 5280, 4.2.1.9: basicConstraints say who may sign.
  const authorities = certificates.filter(({ x509 }) => x509.ca);
  if (authorities.length < certificates.length) {
    faults.push(`ca.crt of ${AUTHORITY_SECRET} holds a certificate that is no CA's`);
  }
  return authorities;
}

function lostAuthority(serving: Serving, known: readonly Certificate[], published: string): Certificate | undefined {
  if (serving.state !== 'sound') return undefined;
  const signer = (each: Certificate) => each.x509.ca && signedBy(serving.certificate, each);
  return known.some(signer) ? undefined : readBundle(published).certificates.find(signer);
}

function withKeys(certificates: readonly Certificate[], text: string, faults: string[]): Authority[] {
  const { keys, unreadable } = readKeys(text);
  if (unreadable > 0) faults.push(`ca.key of ${AUTHORITY_SECRET} holds something that is no private key`);
  return certificates.map((certificate) => {
    const pair = keys.find(({ key }) => certificate.x509.checkPrivateKey(key));
    if (!pair) faults.push(`ca.key of ${AUTHORITY_SECRET} has no key for the CA ${certificate.fingerprint}`);
    return { certificate, key: pair?.pem };
  });
}

function readServing(data: SecretData): Serving {
  const { 'tls.crt': certificate = '', 'tls.key': key = '' } = data;
  if (certificate === '' && key === '') return { state: 'missing', message: `${SERVING_SECRET} holds no pair` };
  let state: 'unreadable' | 'mismatched' = 'unreadable';
  let file = 'tls.crt';
  try {
    const read = readCertificate(certificate);
    file = 'tls.key';
    const privateKey = createPrivateKey(key);
    if (read.x509.checkPrivateKey(privateKey)) return { state: 'sound', certificate: read, key };
    state = 'mismatched';
  } catch {
    return { state, message: `${file} of ${SERVING_SECRET} cannot be read` };
  }
  return { state, message: `tls.key of ${SERVING_SECRET} does not belong to the certificate in tls.crt` };
}
