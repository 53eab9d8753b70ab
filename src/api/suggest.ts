import { oneOf } from './violation.ts';

/**
 * Fields that exist in the other version of the API, or existed once, and what says the same here. The key is the field
 * that was written, behind the one that the same object would have (`traffic<weight`: `weight` where `traffic` is known).
 */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'traffic<weight': 'in v1beta1 it is traffic: "20%"',
  'weight<traffic': 'in v1alpha1 it is weight: 20',
  'workloadRef<objectRef': 'in v1beta1 it is workloadRef, directly under spec',
  'objectRef<workloadRef': 'in v1alpha1 it stands in objectRef',
  'customNetworkRefs<networkRefs': 'in v1beta1 it is customNetworkRefs',
  'customNetworkRefs<createCanaryService': 'in v1beta1 it is disableGenerateCanaryService, beside trafficRoutings',
  'headers<path': 'only v1beta1 has it',
  'canary<blueGreen': 'only v1beta1 has it',
};

/** What to say to the author of a field that is not known: the likeliest known one, or all of them. */
export function suggestField(field: string, known: readonly string[]): string {
  const elsewhere = known.map((name) => ELSEWHERE[`${name}<${field}`]).find((text) => text !== undefined);
  if (elsewhere !== undefined) return `there is no such field; ${elsewhere}`;
  const likely = nearest(field, known);
  if (likely !== undefined) return `there is no such field; did you mean ${likely}?`;
  return `there is no such field; the fields here are ${oneOf([...known].sort(), 'and')}`;
}

/** The known word that a written one is most likely meant to be: other case, or at most two letters apart. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  // longer words would make the distance below a cost of the writer's choosing
  if (word.length > 64) return undefined;
  const ranked = known.map((name) => ({ name, distance: distance(word.toLowerCase(), name.toLowerCase()) }));
  const best = ranked.sort((a, b) => a.distance - b.distance)[0];
  return best !== undefined && best.distance <= Math.min(2, word.length / 3) ? best.name : undefined;
}

/** Levenshtein distance: letters to add, drop or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
