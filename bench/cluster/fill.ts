import { text } from 'node:stream/consumers';
import type { JsonMap } from '../../src/json/value.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { collectionPath, type Resource } from '../../src/kube/resource.ts';
import { type Creation, creationsOf, namespacesFor } from './size-objects.ts';

export const NAMESPACE_KIND: Resource = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

export function namespaceOf(name: string): JsonMap {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

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
    await post(connection, collectionPath(NAMESPACE_KIND), namespaceOf(name));
  }
  const creations = (index: number) => creationsOf(index, withGateways);
  let done = 0;
  const news = setInterval(() => say(`  ${done} of ${count} Rollouts are created`), NEWS_MILLISECONDS);
  function* counted(): Generator<Creation[]> {
    for (let index = 0; index < count; index++) {
      yield creations(index);
      done = index;
    }
  }
  try {
    await createAll(connection, counted());
  } finally {
    clearInterval(news);
  }
}

/** Creates groups of objects at the same time, those of a group one after the other. */
export async function createAll(
  connection: Connection,
  groups: Iterable<readonly Creation[]>,
  connections = CONNECTIONS,
): Promise<void> {
  const left = groups[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next())
      for (const creation of next.value) await create(connection, creation);
  };
  await Promise.all(Array.from({ length: connections }, work));
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
