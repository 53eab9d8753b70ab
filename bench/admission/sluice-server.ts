import { openSync } from 'node:fs';
import { join } from 'node:path';
import { fixedInventory } from '../../src/admission/inventory.ts';
import { loadLibrary } from '../../src/lua/library.ts';
import { openLog } from '../../src/server/log.ts';
import { checkSettings } from '../../src/server/settings.ts';
import { fileCertificates } from '../../src/tls/files.ts';
import { CERTIFICATE_FILES } from '../../src/tls/folder.ts';
import { openWebhook } from '../../src/webhook/open.ts';
import { serveParent } from './child.ts';
import { CONTROLLER } from './reviews.ts';

/**
 * The webhook as `sluice serve` opens it, with its log in a file. Run as a process of its own with the folder of its
 * certificate, the log's path and the characters of originals to remember (0: none).
 */
const [, , folder = '', logFile = '', memoCharacters] = process.argv;
const { log, flush } = openLog('info', openSync(logFile, 'a'));
const { port } = await openWebhook({
  settings: checkSettings({ host: '127.0.0.1', port: 0, plainHost: '127.0.0.1', plainPort: 0 }),
  certificates: fileCertificates({
    certificateFile: join(folder, CERTIFICATE_FILES.certificate),
    keyFile: join(folder, CERTIFICATE_FILES.key),
    onProblem: (problem) => log.error({ err: problem }, 'certificate not taken'),
  }),
  log,
  controllerUser: CONTROLLER,
  library: loadLibrary(),
  inventory: fixedInventory([], []),
  ...(memoCharacters === undefined ? {} : { memoCharacters: Number(memoCharacters) }),
});
serveParent(port, flush);
