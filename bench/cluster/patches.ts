import { objectPath } from '../../src/kube/resource.ts';
import { NAMESPACES, OBJECT, type Variant, VIRTUAL_SERVICES } from './latency-objects.ts';
import type { PatchCall } from './patching.ts';

export type PatchName = 'label' | 'timeout';

/** A user's edits of an object, as dry runs. Each number makes another edit, of about the same length. */
export const PATCHES: Readonly<Record<PatchName, (variant: Variant, number: number) => PatchCall>> = {
  label: (variant, number) => ({
    path: pathOf(variant),
    contentType: 'application/merge-patch+json',
    body: JSON.stringify({ metadata: { labels: { 'shop.example.com/build': String(100_000 + number) } } }),
  }),
  timeout: (variant, number) => ({
    path: pathOf(variant),
    contentType: 'application/json-patch+json',
    body: JSON.stringify([{ op: 'replace', path: '/spec/http/3/timeout', value: `${100_000 + number}ms` }]),
  }),
};

function pathOf(variant: Variant): string {
  const path = objectPath(VIRTUAL_SERVICES, { namespace: NAMESPACES[variant], name: OBJECT });
  return `${path}?dryRun=All&fieldManager=bench`;
}
