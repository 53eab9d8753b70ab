import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { environment } from './settings.ts';

/** The labels as a downward API volume writes them; none when there is no such file. */
function labels(file: string | undefined): Record<string, string> {
  if (file === undefined) return {};
  const lines = readFileSync(file, 'utf8').split('\n');
  const entries = lines.map((line) => /^([^=]+)=(".*")$/.exec(line)).filter((found) => found !== null);
  return Object.fromEntries(entries.map(([, key, value]) => [key, JSON.parse(value ?? '""')]));
}

/**
 * The image `echo`: answers every request with JSON that says which version and pod it is and what was asked.
 * `HOST`, `PORT`: where to listen; `VERSION`: what to say; `LABELS_FILE`: a downward API file of `metadata.labels`.
 */
const server = createServer(({ method, url, headers }, response) => {
  const { VERSION: version = '', LABELS_FILE: file } = environment;
  if (url === '/exit') process.exit(3);
  const answer = { version, pod: hostname(), labels: labels(file), method, path: url, headers };
  response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(answer)}\n`);
  process.stdout.write(`${method} ${url}\n`);
});

process.on('SIGTERM', () => {
  process.stdout.write('bye\n');
  server.close();
  server.closeIdleConnections();
});
// Proxies send on connections that they keep, Envoy for an hour: one that an idle server closes just then loses a request.
server.keepAliveTimeout = 0;
server.listen(Number(environment['PORT'] ?? 8080), environment['HOST'], () => {
  process.stdout.write(`listening on ${environment['HOST']}\n`);
});
