import { readFileSync } from 'node:fs';
import { provePair } from './pair.ts';
import type { CertificateSource, KeyPair } from './source.ts';
import { type WatchedFiles, type WatchedFilesOptions, watchFiles } from './watched-files.ts';

export type FileSourceOptions = Pick<WatchedFilesOptions<KeyPair>, 'pollMilliseconds' | 'onProblem'> & {
  /** PEM: the serving certificate, then its chain. */
  readonly certificateFile: string;
  /** PEM: the private key, not encrypted. */
  readonly keyFile: string;
};

/** A source that reads two files, and reads them again when they change. */
export type FileSource = CertificateSource & WatchedFiles<KeyPair>;

/**
 * The source for certificates in a mounted Secret, from cert-manager or from `sluice certs`.
 *
 * Between two files being replaced one by one the pair does not fit: it is refused, and the old one stays.
 * @throws when there is no usable pair at the start.
 */
export function fileCertificates({ certificateFile, keyFile, ...options }: FileSourceOptions): FileSource {
  const names = { certificate: certificateFile, key: keyFile };
  return watchFiles({
    ...options,
    files: [certificateFile, keyFile],
    read: () => provePair(readFileSync(certificateFile, 'utf8'), readFileSync(keyFile, 'utf8'), names),
    same: (one, other) => one.certificate === other.certificate && one.key === other.key,
  });
}
