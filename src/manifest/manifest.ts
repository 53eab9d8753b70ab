import type { Json } from '../json/value.ts';

/** Where something stands in a file; both count from 1, columns in UTF-16 code units. */
export type Position = { readonly line: number; readonly column: number };

/** Keys and indexes that lead from a document's root to one of its values. */
export type Path = readonly (string | number)[];

/** One object of a file: a YAML document, or one item of a document whose kind is a list. */
export type Manifest = {
  readonly value: Json;
  readonly file: string;
  /**
   * Where the value at `path` is written: its key when it is a member of a map, else itself. A path that leads nowhere
   * (a missing field) gives the position of its nearest ancestor that is there.
   */
  positionOf(path: Path): Position;
};

/** Why a file, or a part of it, cannot be read. */
export type ManifestError = { readonly file: string; readonly position: Position; readonly message: string };
