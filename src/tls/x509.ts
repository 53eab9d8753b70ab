import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/** A certificate, read; `fingerprint` (SHA-256 of the DER form) is what tells certificates apart. */
export type Certificate = {
  readonly pem: string;
  readonly fingerprint: string;
  /** Both in milliseconds since 1970; X.509 counts whole seconds (RFC 5280, 4.1.2.5). */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly x509: X509Certificate;
};

/** @throws what OpenSSL says when the text is no certificate; the text itself is not in the message. */
export function readCertificate(pem: string): Certificate {
  const x509 = new X509Certificate(pem);
  return {
    pem: `${pem.trim()}\n`,
    fingerprint: x509.fingerprint256,
    notBefore: Date.parse(x509.validFrom),
    notAfter: Date.parse(x509.validTo),
    x509,
  };
}

/** The certificates of a bundle in their order, each once; what cannot be read counts in `unreadable`. */
export function readBundle(text: string): { certificates: Certificate[]; unreadable: number } {
  const blocks = pemBlocks(text, 'CERTIFICATE');
  const read = blocks.map((pem) => attempt(() => readCertificate(pem)));
  const found = new Map<string, Certificate>();
  for (const certificate of read) if (certificate) found.set(certificate.fingerprint, certificate);
  const nothing = blocks.length === 0 && text.trim() !== '';
  return { certificates: [...found.values()], unreadable: nothing ? 1 : read.filter((each) => !each).length };
}

/** The private keys in a text; what cannot be read counts in `unreadable`. */
export function readKeys(text: string): { keys: { pem: string; key: KeyObject }[]; unreadable: number } {
  const blocks = pemBlocks(text, '(?:[A-Z]+ )?PRIVATE KEY');
  const keys = blocks.flatMap((pem) => {
    const key = attempt(() => createPrivateKey(pem));
    return key ? [{ pem: `${pem.trim()}\n`, key }] : [];
  });
  const nothing = blocks.length === 0 && text.trim() !== '';
  return { keys, unreadable: nothing ? 1 : blocks.length - keys.length };
}

/**
 * Whether `authority` signed `certificate`: issuer's name and key identifier (RFC 5280, 6.1.3 (a)(4) and 4.2.1.1) *and* the
 * signature. All our authorities have one name, so that nothing less tells them apart.
 */
export function signedBy(certificate: Certificate, authority: Certificate): boolean {
  return certificate.x509.checkIssued(authority.x509) && certificate.x509.verify(authority.x509.publicKey);
}

/** Both ends belong to the validity (RFC 5280, 4.1.2.5). */
export function validAt({ notBefore, notAfter }: Certificate, now: number): boolean {
  return notBefore <= now && now <= notAfter;
}

/** When a certificate is due for renewal: two thirds of its life are over, as cert-manager has it by default. */
export function dueAt({ notBefore, notAfter }: Certificate): number {
  return notBefore + ((notAfter - notBefore) * 2) / 3;
}

/** Whether the subject alternative names are exactly `hosts` (RFC 5280, 4.2.1.6); DNS names ignore case. */
export function namesHosts({ x509 }: Certificate, hosts: readonly string[]): boolean {
  const names = (x509.subjectAltName ?? '').toLowerCase().split(', ');
  const has = (host: string) => names.includes(`dns:${host.toLowerCase()}`) || x509.checkIP(host) !== undefined;
  return names.length === new Set(hosts).size && hosts.every(has);
}

/** A moment as people read it. */
export function iso(time: number): string {
  return new Date(time).toISOString();
}

function pemBlocks(text: string, label: string): string[] {
  return text.match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, 'g')) ?? [];
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // counted by the caller: OpenSSL's reason for garbage helps nobody
  }
}
