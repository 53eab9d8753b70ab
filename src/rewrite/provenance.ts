import type { Json } from '../json/value.ts';

/** The value of an input that a list element or map of an output came from; undefined for what is new in the output. */
export type SourceOf = (element: Json) => Json | undefined;

/** An output that is its input, or shares what it did not change. */
export const asItself: SourceOf = (element) => element;

/** The sources across two steps, the second of which worked on the output of the first. */
export function through(first: SourceOf, second: SourceOf): SourceOf {
  return (element) => {
    const between = second(element);
    return between === undefined ? undefined : first(between);
  };
}
