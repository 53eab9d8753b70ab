import { text } from 'node:stream/consumers';
import type { Connection } from '../../src/kube/connection.ts';
import { collectionPath } from '../../src/kube/resource.ts';
import { type Creation, creationsOf, namespacesFor } from './size-objects.ts';

const CONNECTIONS = 16;
const NEWS_MILLISECONDS = 10_000;

/** Creates so many Rollouts with what they name, over several connections. */
export async function fill(
  connection: Connection,
  count: number,
  withGateways: boolean,
  say: (line: string) => void,
): Promise<void> {
  for (const name of namespacesFor(count)) {
    await post(connection, '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  let next = 0;
  const news = setInterval(() => say(`  ${next} of ${count} Rollouts are created`), NEWS_MILLISECONDS);
  const work = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      for (const creation of creationsOf(index, withGateways)) await create(connection, creation);
    }
  };
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, work));
  } finally {
    clearInterval(news);
  }
}

function create(connection: Connection, { resource, object }: Creation): Promise<void> {
  const { namespace } = object['metadata'] as { namespace: string }; // every object has one
  return post(connection, `${collectionPath(resource, namespace)}?fieldManager=kubectl-client-side-apply`, object);
}

/** Answers are not parsed: they only repeat the object. */
async function post(connection: Connection, path: string, body: object): Promise<void> {
  const response = await connection.send({ method: 'POST', path, body: JSON.stringify(body) });
  const answer = await text(response);
  if (response.statusCode !== 201) throw new Error(`POST ${path} answered ${response.statusCode}: ${answer}`);
}
