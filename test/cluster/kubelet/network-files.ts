import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolverConfig } from '../services/name-server.ts';
import type { Bind } from './container-root.ts';
import type { Place } from './downward.ts';
import type { Pod } from './pod-object.ts';

/**
 * Writes the `/etc/hosts` and `/etc/resolv.conf` of a pod's containers.
 * @param folder the pod's own
 */
export function networkFiles(folder: string, { metadata }: Pod, { podIP }: Place): Bind[] {
  const hosts = `127.0.0.1 localhost\n::1 localhost\n${podIP} ${metadata.name}\n`;
  const files = { hosts, 'resolv.conf': resolverConfig(metadata.namespace) };
  mkdirSync(folder, { recursive: true });
  return Object.entries(files).map(([name, content]) => {
    const source = join(folder, name);
    writeFileSync(source, content);
    return { source, target: `/etc/${name}`, readOnly: false };
  });
}
