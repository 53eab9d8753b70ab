import { isList, isMap, type Json, type JsonMap, stringAt } from '../json/value.ts';
import { type Schema, schemaOf } from './schema.ts';

/**
 * The object with the defaults of its CRD, as the API server fills them in on the way in: where the map that holds the
 * field is there and the field is absent or null. The object itself when nothing is to fill in or the kind is not ours.
 */
export function withDefaults<T extends Json>(object: T): T {
  const schema = schemaOf(stringAt(object, 'apiVersion') ?? '', stringAt(object, 'kind') ?? '');
  // filling in defaults changes no type that the caller knows
  return schema === undefined ? object : (fill(object, schema) as T);
}

function fill(value: Json, schema: Schema): Json {
  if (isList(value)) return schema.items === undefined ? value : fillList(value, schema.items);
  return isMap(value) ? fillMap(value, schema) : value;
}

function fillList(list: readonly Json[], schema: Schema): Json {
  const filled = list.map((item) => fill(item, schema));
  return filled.some((item, i) => item !== list[i]) ? filled : list;
}

function fillMap(map: JsonMap, schema: Schema): Json {
  const changed: Record<string, Json> = {};
  for (const [field, inner] of Object.entries(schema.properties ?? {})) {
    const given = Object.hasOwn(map, field) ? map[field] : undefined;
    if ((given === undefined || given === null) && inner.default !== undefined) changed[field] = inner.default;
    else if (given !== undefined) {
      const filled = fill(given, inner);
      if (filled !== given) changed[field] = filled;
    }
  }
  return Object.keys(changed).length === 0 ? map : { ...map, ...changed };
}
