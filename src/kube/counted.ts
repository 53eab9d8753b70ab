import type { Call, Connection } from './connection.ts';

/** One call of the API server, when the head of its answer has come, or none. */
export type Counted = {
  /** As RBAC and audit logs name it: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`. */
  readonly verb: string;
  /** `deployments`, `rollouts/status`; empty for what is no resource (`/version`). */
  readonly resource: string;
  /** The HTTP status; `none` without an answer. */
  readonly code: string;
  readonly milliseconds: number;
};

/** The same connection, whose calls are told of. */
export function counted(
  connection: Connection,
  tell: (call: Counted) => void,
  monotonic = () => performance.now(),
): Connection {
  return {
    ...connection,
    async send(call) {
      const begun = monotonic();
      const told = (code: string) => tell({ ...targetOf(call), code, milliseconds: monotonic() - begun });
      try {
        const response = await connection.send(call);
        told(String(response.statusCode ?? 'none'));
        return response;
      } catch (error) {
        told('none');
        throw error;
      }
    },
  };
}

/** What a call is about, read from its method and path (`/apis/<group>/<version>/namespaces/<ns>/<plural>/<name>/<part>`). */
export function targetOf({ method, path }: Pick<Call, 'method' | 'path'>): Pick<Counted, 'verb' | 'resource'> {
  const [root = '', query = ''] = path.split('?');
  const found = /^\/(?:api|apis\/[^/]+)\/[^/]+\/(.+)$/.exec(root)?.[1]?.split('/') ?? [];
  const isOfNamespace = found[0] === 'namespaces' && found.length > 2;
  const [plural = '', name, part] = isOfNamespace ? found.slice(2) : found;
  const resource = part === undefined ? plural : `${plural}/${part}`;
  const isWatch = new URLSearchParams(query).get('watch') === 'true';
  const read = isWatch ? 'watch' : name === undefined && plural !== '' ? 'list' : 'get';
  return { verb: method === 'GET' ? read : VERBS[method], resource };
}

const VERBS = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' } as const;
