/** A value that is made at the first call and kept: for what only some writes are worth. `make` never gives undefined. */
export function lazily<R extends NonNullable<unknown>>(make: () => R): () => R {
  let made: R | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
