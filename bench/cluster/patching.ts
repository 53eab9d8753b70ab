import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { API_SERVER } from '../../test/cluster/network.ts';

/** One request to the API server as a test sends it. */
export type PatchCall = { readonly path: string; readonly contentType: string; readonly body: string };

/** Sends patches over one connection that stays open. The client of `src/kube` would add its own reading to the times. */
export type Patcher = {
  /** @returns milliseconds from sending to the end of the answer. @throws for an answer other than 200 */
  time(call: PatchCall): Promise<number>;
  send(call: PatchCall): Promise<string>;
  close(): void;
};

export function openPatcher({ authority, token }: { authority: string; token: string }): Patcher {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority });
  const send = ({ path, contentType, body }: PatchCall): Promise<string> =>
    new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        'content-type': contentType,
        'content-length': Buffer.byteLength(body),
      };
      const sent = request({ ...API_SERVER, agent, path, method: 'PATCH', headers }, (response) => {
        text(response).then((answer) => {
          if (response.statusCode === 200) resolve(answer);
          else reject(new Error(`PATCH ${path} answered ${response.statusCode}: ${answer}`));
        }, reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  return {
    send,
    async time(call) {
      const started = performance.now();
      await send(call);
      return performance.now() - started;
    },
    close: () => agent.destroy(),
  };
}
