import { readFileSync } from 'node:fs';
import { fixedInventory } from '../../admission/inventory.ts';
import { isMap, type JsonMap } from '../../json/value.ts';
import { type Library, loadLibrary } from '../../lua/library.ts';
import { readManifests } from '../../manifest/read.ts';
import { openLog } from '../../server/log.ts';
import { checkSettings } from '../../server/settings.ts';
import { issueLocal, validFor } from '../../tls/generate.ts';
import type { CertificateSource } from '../../tls/source.ts';
import { openWebhook } from '../../webhook/open.ts';
import { DemoApiServer } from './api-server.ts';
import { playRelease, type Screen } from './release.ts';

const CONTROLLER = 'system:serviceaccount:sluice-system:sluice-controller';
const EXAMPLE = new URL('../../../test/fixtures/seed-000/', import.meta.url);

/**
 * Takes the example of the documentation through a whole release: starts the real webhook on a free port with
 * certificates of its own, and sends it the reviews that an API server would send.
 *
 * @param library the scripts of the webhook: the shipped ones, or others to see the checks fail.
 * @returns how many checks failed, and how many reviews were sent.
 */
export async function runDemo(
  screen: Screen,
  now: Date,
  library: Library = loadLibrary(),
): Promise<{ failed: number; checks: number; reviews: number }> {
  const { authority, serving } = await issueLocal(['localhost', '127.0.0.1'], validFor(1, now));
  const pair = { certificate: serving.certificate, key: serving.key, notAfter: validFor(1, now).notAfter };
  const certificates: CertificateSource = {
    current: () => pair,
    onChange: () => () => undefined,
    close: () => undefined,
  };
  const webhook = await openWebhook({
    settings: checkSettings({ host: '127.0.0.1', port: 0, plainHost: '127.0.0.1', plainPort: 0 }),
    certificates,
    log: openLog('error', 2).log,
    controllerUser: CONTROLLER,
    library,
    inventory: fixedInventory([], []),
  });
  const server = new DemoApiServer(webhook.port, authority.certificate);
  const counts = { failed: 0, checks: 0 };
  const counting: Screen = {
    ...screen,
    check(what, holds) {
      counts.checks += 1;
      if (!holds) counts.failed += 1;
      screen.check(what, holds);
    },
  };
  try {
    const controller = { name: CONTROLLER, fieldManager: 'sluice-controller' };
    await playRelease({ server, library, screen: counting, sources: readSources() }, controller);
  } finally {
    server.close();
    await webhook.close();
  }
  return { ...counts, reviews: server.reviews };
}

function readSources(): { rollout: JsonMap; virtualService: JsonMap; destinationRule: JsonMap } {
  return {
    rollout: readSource('rollout.yaml'),
    virtualService: readSource('virtualservice.yaml'),
    destinationRule: readSource('destinationrule.yaml'),
  };
}

function readSource(name: string): JsonMap {
  const { documents, errors } = readManifests(readFileSync(new URL(name, EXAMPLE), 'utf8'), name);
  const value = documents[0]?.value;
  if (errors.length > 0 || !isMap(value)) throw new Error(`${name} of the example cannot be read`);
  return value;
}
