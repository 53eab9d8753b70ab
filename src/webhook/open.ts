import type { GatewayOptions } from '../admission/gateway.ts';
import type { Inventory } from '../admission/inventory.ts';
import { decideIn } from '../admission/isolated.ts';
import { admissionRoutes, type FailurePolicies } from '../admission/routes.ts';
import { createIsolate } from '../isolate/isolate.ts';
import type { Library } from '../lua/library.ts';
import { FORMAT } from '../rewrite/directive.ts';
import { buildApp } from '../server/app.ts';
import { type Listening, listen } from '../server/listen.ts';
import type { Log } from '../server/log.ts';
import type { Settings } from '../server/settings.ts';
import type { CertificateSource } from '../tls/source.ts';

/** What a webhook process is made of. */
export type WebhookParts = {
  readonly settings: Settings;
  /** A promise where the first certificate is still to come: the plain port answers meanwhile. */
  readonly certificates: CertificateSource | Promise<CertificateSource>;
  readonly log: Log;
  /** `system:serviceaccount:<namespace>:<name>` of the controller: only it may change directives. */
  readonly controllerUser: string;
  /** The shipped scripts. */
  readonly library: Library;
  readonly inventory: Inventory;
  /** Of the configurations that name this webhook, where they differ from the table's. */
  readonly failurePolicies?: FailurePolicies;
  /** Characters of originals that are remembered with their rewrites; 0 remembers nothing (for measuring). */
  readonly memoCharacters?: number;
  /** Why the process is not ready yet, or undefined when it is. */
  readonly notReady?: () => string | undefined;
};

/** Builds the whole webhook and opens its ports. `close` stops it: see {@link Listening}. */
export async function openWebhook(parts: WebhookParts): Promise<Listening> {
  const { settings, log, controllerUser, library, inventory, memoCharacters, notReady } = parts;
  const isolate = createIsolate();
  let source: CertificateSource | undefined;
  const certificates = Promise.resolve(parts.certificates).then((found) => {
    source = found;
    return found;
  });
  const options: GatewayOptions = {
    library,
    inventory,
    decideIsolated: decideIn(isolate),
    controllerUser,
    ...(memoCharacters === undefined ? {} : { memoCharacters }),
  };
  const routes = admissionRoutes(options, parts.failurePolicies);
  const { limits } = settings;
  const app = buildApp({
    routes,
    limits,
    log,
    format: FORMAT,
    certificateNotAfter: () => source?.current().notAfter,
    notReady: () => (source === undefined ? 'there is no serving certificate yet' : notReady?.()),
  });
  try {
    const listening = await listen(app, certificates, settings, log);
    return {
      ...listening,
      async close() {
        const end = await listening.close();
        await isolate.close();
        return end;
      },
    };
  } catch (error) {
    await isolate.close();
    throw error;
  }
}
