import type { CertificateAction } from './action.ts';
import { type Issued, issueAuthority, issueServing, type Validity } from './generate.ts';
import { type CertificateSettings, paceOf } from './pace.ts';
import {
  AUTHORITY_SECRET,
  authorityDataOf,
  bundleOf,
  SERVING_SECRET,
  type SecretData,
  type Stored,
  servingDataOf,
} from './secrets.ts';
import { servingEnd } from './serving-plan.ts';
import { readCertificate } from './x509.ts';

/** Makes certificates; `issueAuthority` and `issueServing` unless a test has its own keys. */
export type Issuer = {
  authority(validity: Validity): Promise<Issued>;
  serving(authority: Issued, hosts: readonly string[], validity: Validity): Promise<Issued>;
};

/** Makes its own keys. */
export const LOCAL_ISSUER: Issuer = {
  authority: (validity) => issueAuthority(validity),
  serving: (authority, hosts, validity) => issueServing(authority, hosts, validity),
};

/** Which Secret an action writes, and what is in it afterwards. Makes the certificates that are needed. */
export async function secretAfter(
  action: CertificateAction,
  { authorities, serving }: Stored,
  settings: CertificateSettings,
  issuer: Issuer,
  now: number,
): Promise<{ secret: typeof AUTHORITY_SECRET | typeof SERVING_SECRET; data: SecretData }> {
  const notBefore = new Date(now - paceOf(settings).backDate);
  switch (action.kind) {
    case 'add authority': {
      const made = await issuer.authority({ notBefore, notAfter: new Date(now + settings.authorityLifetime) });
      const added = { certificate: readCertificate(made.certificate), key: withNewline(made.key) };
      return { secret: AUTHORITY_SECRET, data: authorityDataOf([added, ...authorities]) };
    }
    case 'write authorities':
      return { secret: AUTHORITY_SECRET, data: authorityDataOf(action.authorities) };
    case 'issue serving': {
      const { certificate, key = '' } = action.signer; // the plan lets only those sign that have a key
      const notAfter = new Date(servingEnd(action.signer, settings, now));
      const made = await issuer.serving({ certificate: certificate.pem, key }, settings.hosts, { notBefore, notAfter });
      return { secret: SERVING_SECRET, data: servingDataOf(made, bundleOf(authorities)) };
    }
    case 'publish bundle': {
      if (serving.state !== 'sound') throw new Error('a bundle is published beside a sound pair only');
      const pair = { certificate: serving.certificate.pem, key: serving.key };
      return { secret: SERVING_SECRET, data: servingDataOf(pair, bundleOf(authorities)) };
    }
  }
}

function withNewline(pem: string): string {
  return `${pem.trim()}\n`;
}
