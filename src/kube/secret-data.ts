import { isMap, stringAt } from '../json/value.ts';
import type { KubeObject } from './client.ts';

/** The data of a Secret as text: `data` is base64 (core/v1). */
export function secretData(secret: KubeObject): Record<string, string> {
  const data = secret['data'];
  const keys = isMap(data) ? Object.keys(data) : [];
  return Object.fromEntries(
    keys.map((key) => [key, Buffer.from(stringAt(data, key) ?? '', 'base64').toString('utf8')]),
  );
}
