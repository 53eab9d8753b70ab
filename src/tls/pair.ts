import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { KeyPair } from './source.ts';

/** Where the two texts come from, for messages: paths, or keys of a Secret. */
export type PairNames = { readonly certificate: string; readonly key: string };

/**
 * Proves a pair: both parse, the key belongs to the certificate, and TLS accepts them.
 * @throws with the name of what is wrong; neither text is in the message.
 */
export function provePair(certificate: string, key: string, names: PairNames): KeyPair {
  const parsed = named(names.certificate, () => new X509Certificate(certificate));
  const privateKey = named(names.key, () => createPrivateKey(key));
  if (!parsed.checkPrivateKey(privateKey)) {
    throw new Error(`the key in ${names.key} does not belong to the certificate in ${names.certificate}`);
  }
  named(names.certificate, () => createSecureContext({ cert: certificate, key }));
  return { certificate, key, notAfter: new Date(parsed.validTo) };
}

/** OpenSSL's errors name no file, so the file is put in front. */
function named<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
