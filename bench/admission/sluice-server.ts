import { openSync } from 'node:fs';
import { join } from 'node:path';
import { fixedInventory } from '../../src/admission/inventory.ts';
import { decideIn } from '../../src/admission/isolated.ts';
import { admissionRoutes } from '../../src/admission/routes.ts';
import { createIsolate } from '../../src/isolate/isolate.ts';
import { loadLibrary } from '../../src/lua/library.ts';
import { buildApp } from '../../src/server/app.ts';
import { listen } from '../../src/server/listen.ts';
import { openLog } from '../../src/server/log.ts';
import { checkSettings } from '../../src/server/settings.ts';
import { fileCertificates } from '../../src/tls/files.ts';
import { CERTIFICATE_FILES } from '../../src/tls/folder.ts';
import type { ServerReady } from './messages.ts';
import { CONTROLLER } from './reviews.ts';

/**
 * The webhook as `sluice serve` builds it, with its log in a file. Run as a process of its own with the folder of its
 * certificate, the log's path and the characters of originals to remember (0: none); ends with its parent.
 */
const [, , folder = '', logFile = '', memoCharacters = ''] = process.argv;
const { log, flush } = openLog('info', openSync(logFile, 'a'));
const certificates = fileCertificates({
  certificateFile: join(folder, CERTIFICATE_FILES.certificate),
  keyFile: join(folder, CERTIFICATE_FILES.key),
  onProblem: (problem) => log.error({ err: problem }, 'certificate not taken'),
});
const isolate = createIsolate();
const app = buildApp({
  routes: admissionRoutes({
    library: loadLibrary(),
    inventory: fixedInventory([], []),
    decideIsolated: decideIn(isolate),
    controllerUser: CONTROLLER,
    ...(memoCharacters === '' ? {} : { memoCharacters: Number(memoCharacters) }),
  }),
  log,
  certificateNotAfter: () => certificates.current().notAfter,
});
const settings = checkSettings({ host: '127.0.0.1', port: 0, plainHost: '127.0.0.1', plainPort: 0 });
const { port } = await listen(app, certificates, settings, log);
process.on('disconnect', () => {
  flush();
  process.exit();
});
const ready: ServerReady = { port };
process.send?.(ready);
