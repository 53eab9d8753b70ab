import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { environment } from './settings.ts';

const PORT = 80;

/** The image `nginx`: its first page only, `/usr/share/nginx/html/index.html`, on port 80 of `HOST`. */
const server = createServer((_request, response) => {
  readFile('/usr/share/nginx/html/index.html').then(
    (page) => response.writeHead(200, { 'content-type': 'text/html' }).end(page),
    () => response.writeHead(404).end(),
  );
});

process.on('SIGTERM', () => {
  server.close();
  server.closeIdleConnections();
});
server.listen(PORT, environment['HOST']);
