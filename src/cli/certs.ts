import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CERTIFICATE_FILES, writeCertificates } from '../tls/folder.ts';
import { issueLocal, validFor } from '../tls/generate.ts';
import { attempt } from './input.ts';
import { openProgress } from './progress.ts';
import type { Terminal } from './terminal.ts';
import { EXIT, UsageError } from './usage-error.ts';

export type CertsOptions = {
  readonly dir: string;
  readonly host: readonly string[];
  readonly days: number;
  readonly force: boolean;
};

/** Clocks of two machines differ; a certificate that starts in the future is refused. */
const EARLIER_MS = 60_000;

/**
 * `sluice certs`: a new certificate authority and a serving certificate, written into a folder. Files that are there are
 * written over only when told to: clients may trust the authority in them.
 * @returns the exit code.
 */
export async function certs({ dir, host, days, force }: CertsOptions, { out, err }: Terminal): Promise<number> {
  const there = Object.values(CERTIFICATE_FILES).filter((file) => existsSync(join(dir, file)));
  if (there.length > 0 && !force) {
    throw new UsageError(
      `${dir} has ${there.join(', ')} already; replace what is there with --force, or choose another --dir`,
    );
  }
  attempt(dir, 'write', () => mkdirSync(dir, { recursive: true }));
  const progress = openProgress(err);
  progress.at('searching for keys');
  const validity = validFor(days, new Date(Date.now() - EARLIER_MS));
  const made = await issueLocal(host, validity).catch((error: unknown) => {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  });
  progress.end();
  for (const path of attempt(dir, 'write', () => writeCertificates(dir, made))) out.line(path);
  err.line(`valid for ${host.join(', ')} until ${validity.notAfter.toISOString().slice(0, 10)}`);
  return EXIT.fine;
}
