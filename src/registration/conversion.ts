import { CONVERSION_PATH } from '../admission/routes.ts';
import { at, isList, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { base64, SERVICE } from './render.ts';

/** The CRDs whose conversion may be ours. */
export const CRD_NAMES = ['rollouts.rollouts.kruise.io', 'trafficroutings.rollouts.kruise.io'] as const;

/** What is known of a CRD's conversion. */
export type ConversionState =
  /** There is no such CRD. */
  | 'missing'
  /** It has one version. */
  | 'not needed'
  /** It does not carry the label of our chart, so it is not touched. */
  | 'foreign'
  /** Not every ready webhook serves the conversion yet. */
  | 'waiting'
  | 'wired';

/** The label of the chart's objects. */
const NAME_LABEL = 'app.kubernetes.io/name';

/** `spec.conversion` as it should be: all fields, defaults written out. */
export function conversionFor(namespace: string, bundle: string): JsonMap {
  const service = { namespace, name: SERVICE, port: 443, path: CONVERSION_PATH };
  return {
    strategy: 'Webhook',
    webhook: { clientConfig: { service, caBundle: base64(bundle) }, conversionReviewVersions: ['v1'] },
  };
}

/** What to do about a CRD; `isServed` says whether the conversion may be called. */
export function conversionState(crd: Json | undefined, namespace: string, isServed: boolean): ConversionState {
  if (crd === undefined) return 'missing';
  const versions = at(crd, ['spec', 'versions']);
  if (!isList(versions) || versions.length < 2) return 'not needed';
  if (stringAt(crd, 'metadata', 'labels', NAME_LABEL) !== 'sluice') return 'foreign';
  return isServed || callsUs(crd, namespace) ? 'wired' : 'waiting';
}

/** Whether the CRD's conversion goes to our Service. */
export function callsUs(crd: Json | undefined, namespace: string): boolean {
  const service = at(crd, ['spec', 'conversion', 'webhook', 'clientConfig', 'service']);
  return stringAt(service, 'namespace') === namespace && stringAt(service, 'name') === SERVICE;
}

/** For whoever has to decide whose CRD it is. */
export function howToAdopt(name: string, namespace: string): string {
  return (
    `CustomResourceDefinition ${name} was not installed by Sluice's chart, so its conversion is left as it is, and objects of its ` +
    'older versions are not converted by Sluice. If nobody else uses it, adopt it: ' +
    `kubectl label crd ${name} ${NAME_LABEL}=sluice app.kubernetes.io/managed-by=Helm --overwrite && ` +
    `kubectl annotate crd ${name} meta.helm.sh/release-name=<release> meta.helm.sh/release-namespace=${namespace} --overwrite`
  );
}
