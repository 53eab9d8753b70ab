import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalCertificates } from './generate.ts';

/** File names as in a Secret of type `kubernetes.io/tls`, with the CA's certificate beside them as cert-manager does. */
export const CERTIFICATE_FILES = {
  authority: 'ca.crt',
  authorityKey: 'ca.key',
  certificate: 'tls.crt',
  key: 'tls.key',
} as const;

/**
 * Writes the four files into `folder`, which is made when it is missing. Private keys can be read by their owner only.
 * Each file is replaced as a whole (write beside it, then rename), keys before certificates: a server that reads in
 * between sees a pair that does not fit and keeps the one it has.
 * @returns the paths that were written.
 * @throws what the file system throws.
 */
export function writeCertificates(folder: string, { authority, serving }: LocalCertificates): string[] {
  mkdirSync(folder, { recursive: true });
  return [
    replaceFile(join(folder, CERTIFICATE_FILES.authorityKey), authority.key, 0o600),
    replaceFile(join(folder, CERTIFICATE_FILES.key), serving.key, 0o600),
    replaceFile(join(folder, CERTIFICATE_FILES.authority), authority.certificate, 0o644),
    replaceFile(join(folder, CERTIFICATE_FILES.certificate), serving.certificate, 0o644),
  ];
}

function replaceFile(path: string, text: string, mode: number): string {
  const beside = `${path}.new`;
  // What an interrupted run left there keeps its old mode when it is written over.
  rmSync(beside, { force: true });
  writeFileSync(beside, text, { mode, flag: 'wx' });
  // The mode given to a new file is cut by the umask.
  chmodSync(beside, mode);
  renameSync(beside, path);
  return path;
}
