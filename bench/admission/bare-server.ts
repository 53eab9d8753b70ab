import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { CERTIFICATE_FILES } from '../../src/tls/folder.ts';
import { serveParent } from './child.ts';

/**
 * The least that any admission webhook in Node does: HTTPS, read the review, parse it, answer that it is allowed. Run as
 * a process of its own with the folder of its certificate and the address to listen on; ends with its parent.
 */
const [, , folder = '', host = '127.0.0.1'] = process.argv;
const server = createServer(
  {
    cert: readFileSync(join(folder, CERTIFICATE_FILES.certificate)),
    key: readFileSync(join(folder, CERTIFICATE_FILES.key)),
  },
  (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      const body = JSON.stringify({
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: { uid: review.request.uid, allowed: true },
      });
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
      response.end(body);
    });
  },
);
server.keepAliveTimeout = 600_000;
server.listen(0, host, () => {
  const { port } = server.address() as AddressInfo; // a server that listens on TCP
  serveParent(port, () => undefined);
});
