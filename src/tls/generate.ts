import { generateKeyPair, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import forge from 'node-forge';

/** A certificate and its private key, both PEM (the key PKCS#8). */
export type Issued = { readonly certificate: string; readonly key: string };

/** From when to when a certificate holds; X.509 counts whole seconds, fractions are cut off. */
export type Validity = { readonly notBefore: Date; readonly notAfter: Date };

/** RSA keys as PEM text: `key` PKCS#8, `publicKey` SPKI. */
export type RsaKeys = { readonly key: string; readonly publicKey: string };

/** A local CA and a serving certificate that it signed. */
export type LocalCertificates = { readonly authority: Issued; readonly serving: Issued };

const generateKeys = promisify(generateKeyPair);

/**
 * A certificate authority for one cluster or one machine. Its key signs serving certificates and nothing else
 * (`pathLen 0`: it cannot make further authorities).
 * @param newKeys where its keys come from; they must be fresh, since the key tells authorities apart.
 */
export async function issueAuthority(validity: Validity, newKeys = rsaKeys): Promise<Issued> {
  const keys = await newKeys();
  const name = [{ name: 'commonName', value: 'sluice-ca' }];
  const certificate = blankCertificate(forge.pki.publicKeyFromPem(keys.publicKey), validity);
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(keys.key), forge.md.sha256.create());
  return { certificate: forge.pki.certificateToPem(certificate), key: keys.key };
}

/**
 * A serving certificate for `hosts` (DNS names, with `*.` allowed, and IP addresses of both families), signed by
 * `authority`. Clients look at the subject alternative names only (RFC 9525), so the common name is a label.
 * @throws when `hosts` is empty or holds something that is neither an address nor a DNS name.
 */
export async function issueServing(
  authority: Issued,
  hosts: readonly string[],
  validity: Validity,
  newKeys = rsaKeys,
): Promise<Issued> {
  const altNames = alternativeNames(hosts);
  const issuer = forge.pki.certificateFromPem(authority.certificate);
  const keys = await newKeys();
  const certificate = blankCertificate(forge.pki.publicKeyFromPem(keys.publicKey), validity);
  certificate.setSubject([{ name: 'commonName', value: 'sluice-webhook' }]);
  certificate.setIssuer(issuer.subject.attributes);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: issuer.generateSubjectKeyIdentifier().getBytes() },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(authority.key), forge.md.sha256.create());
  return { certificate: forge.pki.certificateToPem(certificate), key: keys.key };
}

/** A fresh CA and a serving certificate of the same validity: what a machine needs for itself. */
export async function issueLocal(hosts: readonly string[], validity: Validity): Promise<LocalCertificates> {
  const authority = await issueAuthority(validity);
  return { authority, serving: await issueServing(authority, hosts, validity) };
}

/** The validity that starts at `from` and lasts `days` days of 24 hours. */
export function validFor(days: number, from: Date): Validity {
  return { notBefore: from, notAfter: new Date(from.getTime() + days * 86_400_000) };
}

/**
 * node-forge signs with RSA only, hence RSA; its own key search in JavaScript takes seconds, so the keys come from
 * Node's native generator. 2048 bits are what the certificates of Kruise's manager have too.
 */
export async function rsaKeys(): Promise<RsaKeys> {
  const { privateKey, publicKey } = await generateKeys('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return { key: privateKey, publicKey };
}

function blankCertificate(
  publicKey: forge.pki.rsa.PublicKey,
  { notBefore, notAfter }: Validity,
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  certificate.serialNumber = serialNumber();
  certificate.validity.notBefore = wholeSeconds(notBefore);
  certificate.validity.notAfter = wholeSeconds(notAfter);
  return certificate;
}

/** Sixteen random bytes as a positive, non-zero integer in its shortest form (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function wholeSeconds(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}

/** `type` 2 is a DNS name and 7 an IP address: the choice numbers of GeneralName in RFC 5280. */
function alternativeNames(hosts: readonly string[]): object[] {
  if (hosts.length === 0) throw new Error('a serving certificate needs at least one host: a DNS name or an IP address');
  return hosts.map((host) => {
    if (isIP(host) !== 0) return { type: 7, ip: host };
    if (!DNS_NAME.test(host)) throw new Error(`"${host}" is neither an IP address nor a DNS name`);
    return { type: 2, value: host };
  });
}

const DNS_NAME = /^(?=.{1,253}$)(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*$/i;
