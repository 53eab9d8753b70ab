import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { CertificateSource, KeyPair } from './source.ts';

export type FileSourceOptions = {
  /** PEM: the serving certificate, then its chain. */
  readonly certificateFile: string;
  /** PEM: the private key, not encrypted. */
  readonly keyFile: string;
  /**
   * How often the files are read when no notice of a change came, in milliseconds. Notices are lost on some network
   * and overlay file systems, and where the file is a link into a folder that is not watched.
   */
  readonly pollMilliseconds?: number;
  /** Told once of each new reason why a changed pair was not taken; the pair in use stays. */
  readonly onProblem: (problem: Error) => void;
};

/** A source that reads two files, and reads them again when they change. */
export type FileSource = CertificateSource & {
  /** Reads the files now. Returns what became of it: a notice, the poll and tests all come through here. */
  check(): 'taken' | 'unchanged' | 'refused';
};

/**
 * The source for certificates in a mounted Secret, from cert-manager or from `sluice certs`.
 *
 * A Secret volume is changed by renaming the link `..data` in the folder of the files, hence folders are watched, not
 * files. Between two files being replaced one by one the pair does not fit: it is refused, and the old one stays.
 * @throws when there is no usable pair at the start.
 */
export function fileCertificates(options: FileSourceOptions): FileSource {
  const { certificateFile, keyFile, onProblem, pollMilliseconds = 60_000 } = options;
  const listeners = new Set<(pair: KeyPair) => void>();
  let pair = readPair(certificateFile, keyFile);
  let lastProblem = '';

  const check = (): 'taken' | 'unchanged' | 'refused' => {
    let next: KeyPair;
    try {
      next = readPair(certificateFile, keyFile);
    } catch (error) {
      const problem = asError(error);
      if (problem.message !== lastProblem) onProblem(problem);
      lastProblem = problem.message;
      return 'refused';
    }
    lastProblem = '';
    if (next.certificate === pair.certificate && next.key === pair.key) return 'unchanged';
    pair = next;
    for (const listener of listeners) listener(next);
    return 'taken';
  };

  const watchers = watchFolders(new Set([dirname(certificateFile), dirname(keyFile)]), check, onProblem);
  const timer = setInterval(check, pollMilliseconds).unref();
  return {
    current: () => pair,
    check,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      clearInterval(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** Reads and proves a pair: both parse, the key belongs to the certificate, and TLS accepts them. */
function readPair(certificateFile: string, keyFile: string): KeyPair {
  const certificate = readFileSync(certificateFile, 'utf8');
  const key = readFileSync(keyFile, 'utf8');
  const parsed = named(certificateFile, () => new X509Certificate(certificate));
  const privateKey = named(keyFile, () => createPrivateKey(key));
  if (!parsed.checkPrivateKey(privateKey)) {
    throw new Error(`the key in ${keyFile} does not belong to the certificate in ${certificateFile}`);
  }
  named(certificateFile, () => createSecureContext({ cert: certificate, key }));
  return { certificate, key, notAfter: new Date(parsed.validTo) };
}

/** OpenSSL's errors name no file, so the file is put in front. */
function named<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`${file}: ${asError(error).message}`, { cause: error });
  }
}

/** A folder that cannot be watched (gone, or no more inotify watches) is reported, and the poll goes on. */
function watchFolders(folders: Set<string>, onNotice: () => void, onProblem: (problem: Error) => void): FSWatcher[] {
  return [...folders].flatMap((folder) => {
    try {
      return [watch(folder, { persistent: false }, onNotice).on('error', onProblem)];
    } catch (error) {
      onProblem(asError(error));
      return [];
    }
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
