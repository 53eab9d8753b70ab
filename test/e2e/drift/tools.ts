import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPatch } from 'rfc6902';
import { equal } from '../../../src/json/equal.ts';
import { isMap, type Json, type JsonMap } from '../../../src/json/value.ts';
import { type Cluster, succeeded } from '../../cluster/cluster.ts';
import type { Edit } from './objects.ts';

/** One object that a user keeps: their source of it, and where it lives. */
export type Kept = { readonly namespace: string; readonly source: JsonMap; readonly live: JsonMap | undefined };

/** A way to write objects to a cluster. */
export type Tool = {
  readonly name: string;
  /** `source`: each write hands over the whole source. `view`: each write changes what the cluster shows. */
  readonly from: 'source' | 'view';
  /** The mode of `kubectl diff` that sends what this tool sends, under the same manager. */
  readonly diffMode?: 'client-side' | 'server-side';
  /**
   * Writes `kept.source`, the edit being in it already; a `view` tool applies the edit to `kept.live` instead.
   * @returns what it said beside its output: warnings, and nothing else when all went well
   */
  write(cluster: Cluster, kept: Kept, edit: Edit | undefined): Promise<string>;
};

/** A controller of Kubernetes wrote between kubectl's read and its write: the user tries again. */
const WRITTEN_IN_BETWEEN = 'the object has been modified';

async function kubectl(cluster: Cluster, args: readonly string[], stdin?: string, env?: Record<string, string>) {
  const result = await cluster.kubectl(args, { ...(stdin && { stdin }), ...(env && { env }) });
  succeeded(result);
  return result.stderr;
}

function fromSource(name: string, args: readonly string[]): Tool {
  return {
    name,
    from: 'source',
    write: (cluster, { namespace, source }) =>
      kubectl(cluster, [...args, '-n', namespace, '-f', '-'], JSON.stringify(source)),
  };
}

const clientSide: Tool = { ...fromSource('client-side apply', ['apply']), diffMode: 'client-side' };
const serverSide: Tool = { ...fromSource('server-side apply', ['apply', '--server-side']), diffMode: 'server-side' };

const replace: Tool = {
  ...fromSource('replace', ['replace']),
  async write(cluster, { namespace, source, live }) {
    const args = [live === undefined ? 'create' : 'replace', '-n', namespace, '-f', '-'];
    for (;;) {
      const result = await cluster.kubectl(args, { stdin: JSON.stringify(source) });
      if (result.exitCode !== 0 && result.stderr.includes(WRITTEN_IN_BETWEEN)) continue;
      succeeded(result);
      return result.stderr;
    }
  },
};

/** Writes the first version, then changes what the cluster shows. */
function fromView(
  name: string,
  change: (cluster: Cluster, target: string[], live: JsonMap, edited: JsonMap) => Promise<string>,
): Tool {
  return {
    name,
    from: 'view',
    write(cluster, { namespace, source, live }, edit) {
      if (live === undefined) return kubectl(cluster, ['create', '-n', namespace, '-f', '-'], JSON.stringify(source));
      if (edit === undefined) return Promise.resolve('');
      const target = [String(source['kind']), 'web', '-n', namespace];
      return change(cluster, target, live, edit.apply(live));
    },
  };
}

const jsonPatch = fromView('JSON patch', (cluster, target, live, edited) =>
  kubectl(cluster, ['patch', ...target, '--type=json', '-p', JSON.stringify(createPatch(live, edited))]),
);

const mergePatch = fromView('merge patch', (cluster, target, live, edited) =>
  kubectl(cluster, ['patch', ...target, '--type=merge', '-p', JSON.stringify(mergeOf(live, edited))]),
);

/** `kubectl edit` sends a strategic merge patch for built-in kinds, a merge patch for others. */
const editView: Tool = {
  ...fromView('kubectl edit', () => Promise.resolve('')),
  async write(cluster, { namespace, source, live }, edit) {
    if (live === undefined) return jsonPatch.write(cluster, { namespace, source, live }, edit);
    if (edit === undefined) return '';
    const target = [String(source['kind']), 'web', '-n', namespace];
    const file = join(mkdtempSync(join(tmpdir(), 'edit-')), 'edited.json');
    for (;;) {
      // In the version that kubectl shows, which need not be the one of the source.
      const shown = JSON.parse(succeeded(await cluster.kubectl(['get', ...target, '-o', 'json'])));
      writeFileSync(file, JSON.stringify(edit.apply(shown)));
      const result = await cluster.kubectl(['edit', ...target], { env: { KUBE_EDITOR: `cp ${file}` } });
      if (result.exitCode !== 0 && result.stderr.includes(WRITTEN_IN_BETWEEN)) continue;
      succeeded(result);
      return result.stderr;
    }
  },
};

/** The patch of RFC 7386 that makes `to` of `from`. */
function mergeOf(from: JsonMap, to: JsonMap): JsonMap {
  const patch: Record<string, Json> = {};
  for (const key of Object.keys(from)) if (to[key] === undefined) patch[key] = null;
  for (const [key, value] of Object.entries(to)) {
    const before = from[key];
    if (before !== undefined && equal(before, value)) continue;
    patch[key] = isMap(before) && isMap(value) ? mergeOf(before, value) : value;
  }
  return patch;
}

const helm: Tool = {
  name: 'helm upgrade',
  from: 'source',
  async write(cluster, { namespace, source }) {
    const chart = join(mkdtempSync(join(tmpdir(), 'chart-')), 'web');
    mkdirSync(join(chart, 'templates'), { recursive: true });
    writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: web\nversion: 1.0.0\n');
    writeFileSync(join(chart, 'values.yaml'), JSON.stringify({ object: source }));
    writeFileSync(join(chart, 'templates', 'object.yaml'), '{{ toYaml .Values.object }}\n');
    const result = await cluster.helm(['upgrade', '--install', 'web', chart, '-n', namespace]);
    succeeded(result);
    return result.stderr;
  },
};

export const TOOLS: readonly Tool[] = [clientSide, serverSide, replace, helm, jsonPatch, mergePatch, editView];
