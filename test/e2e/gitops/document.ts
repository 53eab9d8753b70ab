import { readFileSync } from 'node:fs';
import { isMap, type JsonMap, member } from '../../../src/json/value.ts';
import { readManifests } from '../../../src/manifest/read.ts';
import { CHECKOUT } from '../../cluster/settings.ts';

const FILE = 'docs/gitops.md';
const text = readFileSync(`${CHECKOUT}/${FILE}`, 'utf8');

/** The first object of a kind in the YAML blocks of docs/gitops.md: what users copy is what the tests run. */
export function documented(kind: string): JsonMap {
  for (const [, block = ''] of text.matchAll(/^```yaml\n(.*?)^```$/gms)) {
    for (const { value } of readManifests(block, FILE).documents) {
      if (isMap(value) && member(value, 'kind') === kind) return value;
    }
  }
  throw new Error(`${FILE} shows no ${kind}`);
}

/** The table of verdicts in docs/gitops.md: setting → kind → what the cell says. */
export function documentedVerdicts(): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const rows = text.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const start = rows.findIndex(([first]) => first === 'Setting');
  const [, ...kinds] = rows[start] ?? [];
  const table = new Map<string, ReadonlyMap<string, string>>();
  for (const [setting = '', ...cells] of rows.slice(start + 2)) {
    if (setting === '') break;
    table.set(setting.replaceAll('`', ''), new Map(kinds.map((kind, i) => [kind, cells[i] ?? ''])));
  }
  return table;
}
