import { createSocket } from 'node:dgram';
import { DNS_ADDRESS } from '../network.ts';
import { answerTo, type Question, readQuestion, TYPE_A } from './dns-message.ts';
import type { ServiceTable } from './service-table.ts';

const SUFFIX = '.svc.cluster.local';

/** Answers for `<service>.<namespace>.svc.cluster.local` on the cluster's DNS address (UDP, IPv4 addresses only). */
export async function serveNames(table: ServiceTable): Promise<{ close(): void }> {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => {
    const question = questionOf(message);
    if (question === undefined) return;
    const found = addressesOf(question.name, table);
    const addresses = found === undefined || question.type === TYPE_A ? found : [];
    socket.send(answerTo(message, question, addresses), from.port, from.address);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(53, DNS_ADDRESS, resolve);
  });
  return { close: () => void socket.close() };
}

/** Undefined for what is no query: such messages get no answer. */
function questionOf(message: Buffer): Question | undefined {
  try {
    return readQuestion(message);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function addressesOf(name: string, table: ServiceTable): readonly string[] | undefined {
  if (!name.endsWith(SUFFIX)) return undefined;
  const [service = '', namespace = '', ...rest] = name.slice(0, -SUFFIX.length).split('.');
  const found = rest.length > 0 ? undefined : table.service(namespace, service);
  if (found === undefined) return undefined;
  const { clusterIP = 'None' } = found.spec;
  return clusterIP === 'None' ? table.addresses(found) : [clusterIP];
}

/** What `/etc/resolv.conf` holds in a pod. */
export function resolverConfig(namespace: string): string {
  const domains = [`${namespace}${SUFFIX}`, SUFFIX.slice(1), 'cluster.local'];
  return `search ${domains.join(' ')}\nnameserver ${DNS_ADDRESS}\noptions ndots:5\n`;
}
