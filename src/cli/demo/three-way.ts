import { isList, isMap, type Json } from '../../json/value.ts';

/**
 * What `kubectl apply` makes of a custom resource: keys that the last applied source had and this one lacks go, what the
 * source says is set, the rest stays. Lists and scalars are replaced as a whole (JSON merge patch, RFC 7386).
 */
export function threeWay(last: Json | undefined, source: Json, live: Json | undefined): Json {
  if (!isMap(source) || !isMap(live)) return source;
  const result: { [key: string]: Json } = { ...live };
  for (const [key, value] of Object.entries(source)) {
    result[key] = isList(value) ? value : threeWay(isMap(last) ? last[key] : undefined, value, live[key]);
  }
  for (const key of Object.keys(isMap(last) ? last : {})) if (!(key in source)) delete result[key];
  return result;
}
