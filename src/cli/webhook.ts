import { fixedInventory } from '../admission/inventory.ts';
import { decideIn } from '../admission/isolated.ts';
import { admissionRoutes } from '../admission/routes.ts';
import { createIsolate } from '../isolate/isolate.ts';
import type { Json } from '../json/value.ts';
import type { Library } from '../lua/library.ts';
import type { Script } from '../lua/script.ts';
import { buildApp } from '../server/app.ts';
import { type Listening, listen } from '../server/listen.ts';
import type { Log } from '../server/log.ts';
import type { Settings } from '../server/settings.ts';
import type { CertificateSource } from '../tls/source.ts';

/** What a webhook process is made of. */
export type WebhookParts = {
  readonly settings: Settings;
  readonly certificates: CertificateSource;
  readonly log: Log;
  /** `system:serviceaccount:<namespace>:<name>` of the controller: only it may change directives. */
  readonly controllerUser: string;
  /** The shipped scripts. */
  readonly library: Library;
  /** Users' scripts by content, and Rollouts, known without a cluster. */
  readonly scripts: readonly Script[];
  readonly rollouts: readonly Json[];
  /** Characters of originals that are remembered with their rewrites; 0 remembers nothing (for measuring). */
  readonly memoCharacters?: number;
};

/** Builds the whole webhook and opens its ports. `close` stops it: see {@link Listening}. */
export async function openWebhook(parts: WebhookParts): Promise<Listening> {
  const { settings, certificates, log, controllerUser, library, memoCharacters } = parts;
  const isolate = createIsolate();
  const routes = admissionRoutes({
    library,
    inventory: fixedInventory(parts.scripts, parts.rollouts),
    decideIsolated: decideIn(isolate),
    controllerUser,
    ...(memoCharacters === undefined ? {} : { memoCharacters }),
  });
  const { limits } = settings;
  const app = buildApp({ routes, limits, log, certificateNotAfter: () => certificates.current().notAfter });
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
