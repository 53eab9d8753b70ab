import { isMap, type Json } from '../json/value.ts';
import type { Declared } from './declared.ts';
import type { ServiceAction } from './directive.ts';

/** Adds the directive's keys to the Service's selector; the user's own keys stay. */
export function rewriteService(original: Declared, { selector }: ServiceAction): Declared {
  const spec = isMap(original.spec) ? original.spec : {};
  const own: Json = isMap(spec['selector']) ? spec['selector'] : {};
  return { ...original, spec: { ...spec, selector: { ...own, ...selector } } };
}
