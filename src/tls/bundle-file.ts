import { readFileSync } from 'node:fs';
import { type WatchedFiles, type WatchedFilesOptions, watchFiles } from './watched-files.ts';
import { readBundle } from './x509.ts';

export type FileBundleOptions = Pick<WatchedFilesOptions<string>, 'pollMilliseconds' | 'onProblem'> & {
  /** PEM: the CAs that signed the serving certificate, as cert-manager writes them beside it. */
  readonly file: string;
};

/** The trusted bundle of a file; the counterpart of a keeper where cert-manager keeps the certificates. */
export type FileBundle = Pick<WatchedFiles<string>, 'check' | 'close'> & {
  /** The bundle that configurations should carry, in PEM. */
  trusted(): string;
  /** Calls `listener` with the bundle, at once and whenever it changes. Returns what ends the calls. */
  onTrusted(listener: (bundle: string) => void): () => void;
};

/**
 * Reads `ca.crt` of a mounted Secret, and reads it again when it changes. Only whole certificates are taken: API servers refuse
 * a `caBundle` that holds anything else.
 * @throws when the file is missing or holds no certificate; the message says what cert-manager has to be told.
 */
export function fileBundle({ file, ...options }: FileBundleOptions): FileBundle {
  const files = watchFiles({
    ...options,
    files: [file],
    read: () => readBundleFile(file),
    same: (one, other) => one === other,
  });
  return {
    trusted: files.current,
    onTrusted(listener) {
      listener(files.current());
      return files.onChange(listener);
    },
    check: files.check,
    close: files.close,
  };
}

/** cert-manager leaves ca.crt out, or empty, for issuers that do not tell their CA: ACME is one. */
const HINT =
  "cert-manager writes it for Issuers of the kinds `ca`, `selfSigned` and `vault`: name such an Issuer in the chart's value certificates.certManager";

function readBundleFile(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const what = missing ? 'is missing' : `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new Error(`${file} ${what}; ${HINT}`, { cause: error });
  }
  const { certificates, unreadable } = readBundle(text);
  if (unreadable > 0) throw new Error(`${file} holds something that is no certificate; ${HINT}`);
  if (certificates.length === 0) throw new Error(`${file} is empty; ${HINT}`);
  return certificates.map(({ pem }) => pem).join('');
}
