import { at, isList, isMap, type Json, type JsonMap } from '../../json/value.ts';

/** A number of an object of the API; undefined when it is absent or something else. */
export function numberAt(value: Json | undefined, ...path: (string | number)[]): number | undefined {
  const found = at(value, path);
  return typeof found === 'number' ? found : undefined;
}

/** The maps of a list; none when it is absent. */
export function mapsAt(value: Json | undefined, ...path: (string | number)[]): JsonMap[] {
  const found = at(value, path);
  return isList(found) ? found.filter(isMap) : [];
}

/** The images of a pod template's containers, as one text. */
export function imagesOf(template: Json | undefined): string {
  const images = mapsAt(template, 'spec', 'containers').map(({ image }) => (typeof image === 'string' ? image : '?'));
  return [...new Set(images)].join(', ');
}
