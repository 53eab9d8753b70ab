import { fixedInventory } from '../admission/inventory.ts';
import type { Json } from '../json/value.ts';
import { type Library, loadLibrary } from '../lua/library.ts';
import type { Script } from '../lua/script.ts';
import type { Listening } from '../server/listen.ts';
import { type Log, openLog } from '../server/log.ts';
import { checkSettings } from '../server/settings.ts';
import { type FileSource, fileCertificates } from '../tls/files.ts';
import { openWebhook } from '../webhook/open.ts';
import { checkManifests } from './checks.ts';
import { ended } from './ended.ts';
import { errorFinding, findingLine, hasErrors, sorted } from './finding.ts';
import { readInput } from './input.ts';
import { isRollout } from './objects.ts';
import { allUserScripts, scriptSources } from './scripts.ts';
import { type ServeFlags, type ServeSettings, serveSettings } from './serve-settings.ts';
import { openTerminal, type Surroundings } from './terminal.ts';
import { EXIT, UsageError } from './usage-error.ts';

/**
 * `sluice serve`: the webhook, until a signal ends it. Standard output carries its log.
 * @returns the exit code: 0 when everything that ran was finished, 1 when something was cut off, or when a file that it
 *   was to load has errors.
 * @throws UsageError for settings that are wrong, certificates that are not there, ports that cannot be had.
 */
export async function serve(flags: ServeFlags, surroundings: Surroundings): Promise<number> {
  const settings = serveSettings(flags, surroundings.env);
  const library = loadLibrary();
  const known = await loadKnown(settings.load, library, surroundings);
  if (known === undefined) return EXIT.findings;
  const { log, flush } = openLog(settings.logLevel);
  const certificates = openCertificates(settings, log, surroundings.programName);
  try {
    const webhook = await opened(settings, () =>
      openWebhook({
        settings: checkSettings(settings.server),
        certificates,
        log,
        controllerUser: settings.controllerUser,
        library,
        inventory: fixedInventory(known.scripts, known.rollouts),
      }),
    );
    flush();
    return await ended(() => webhook.close(), surroundings, log);
  } finally {
    certificates.close();
    flush();
  }
}

type Known = { readonly scripts: readonly Script[]; readonly rollouts: readonly Json[] };

/** What the files of `--load` have; undefined, with the reasons on standard error, when something in them is wrong. */
async function loadKnown(
  paths: readonly string[],
  library: Library,
  surroundings: Surroundings,
): Promise<Known | undefined> {
  if (paths.length === 0) return { scripts: [], rollouts: [] };
  const { manifests, errors } = await readInput(paths, surroundings.readStdin);
  const findings = sorted([...errors.map(errorFinding), ...checkManifests(manifests)]);
  const { err } = openTerminal(surroundings);
  for (const finding of findings) err.line(findingLine(finding, err));
  if (hasErrors(findings)) return undefined;
  const { user } = scriptSources(manifests);
  return {
    scripts: allUserScripts(user, library),
    rollouts: manifests.map(({ value }) => value).filter(isRollout),
  };
}

function openCertificates({ certificateFile, keyFile }: ServeSettings, log: Log, programName: string): FileSource {
  const onProblem = (problem: Error) => log.error({ err: problem }, 'the certificate files cannot be used');
  try {
    return fileCertificates({ certificateFile, keyFile, onProblem });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `no certificate to serve with: ${reason}; make one with \`${programName} certs\`, or name its folder with --certs`,
      {
        cause: error,
      },
    );
  }
}

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use already',
  EACCES: 'permission denied',
  EADDRNOTAVAIL: 'this machine does not have the address',
  ENOTFOUND: 'there is no such host',
};

/** @throws UsageError for a port or an address that cannot be had */
async function opened(settings: ServeSettings, open: () => Promise<Listening>): Promise<Listening> {
  try {
    return await open();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const reason = LISTEN_REASONS[code];
    if (reason === undefined) throw error;
    const { host, port, plainHost, plainPort } = settings.server;
    const place =
      error instanceof Error && 'port' in error ? `port ${error.port}` : `${host}:${port} or ${plainHost}:${plainPort}`;
    throw new UsageError(`cannot listen on ${place}: ${reason}`, { cause: error });
  }
}
