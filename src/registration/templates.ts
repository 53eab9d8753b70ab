import { readdirSync, readFileSync } from 'node:fs';
import { isList, isMap, type JsonMap, stringAt } from '../json/value.ts';
import { readManifests } from '../manifest/read.ts';

/** A webhook configuration as `webhook-config/` has it. */
export type Template = {
  readonly kind: 'MutatingWebhookConfiguration' | 'ValidatingWebhookConfiguration';
  readonly name: string;
  /** The entries of `webhooks`, by the path that they call. */
  readonly entries: readonly { readonly path: string; readonly webhook: JsonMap }[];
};

const FOLDER = new URL('../../webhook-config/', import.meta.url);

/** @throws when the folder holds something else: it comes with the program, so that is a fault of its packaging. */
export function readTemplates(folder = FOLDER): Template[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  return files.sort().flatMap((file) => {
    const { documents, errors } = readManifests(readFileSync(new URL(file, folder), 'utf8'), `webhook-config/${file}`);
    const [error] = errors;
    if (error !== undefined) throw new Error(`webhook-config/${file}:${error.position.line}: ${error.message}`);
    return documents.map(({ value }) => templateOf(value as JsonMap, file));
  });
}

function templateOf(object: JsonMap, file: string): Template {
  const kind = stringAt(object, 'kind');
  const name = stringAt(object, 'metadata', 'name');
  const webhooks = object['webhooks'];
  if ((kind !== 'MutatingWebhookConfiguration' && kind !== 'ValidatingWebhookConfiguration') || !name) {
    throw new Error(`webhook-config/${file}: is no webhook configuration with a name`);
  }
  const entries = (isList(webhooks) ? webhooks.filter(isMap) : []).map((webhook) => {
    const path = pathOf(webhook);
    if (path === undefined) throw new Error(`webhook-config/${file}: an entry calls no path of a Service`);
    return { path, webhook };
  });
  return { kind, name, entries };
}

/** The path of our Service that an entry of `webhooks` calls. */
export function pathOf(webhook: JsonMap): string | undefined {
  return stringAt(webhook, 'clientConfig', 'service', 'path');
}
