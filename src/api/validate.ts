import { canonicalJson } from '../json/text.ts';
import { isList, isMap, type Json, type JsonList, type JsonMap, member, stringAt } from '../json/value.ts';
import { METADATA_SCHEMA } from './metadata.ts';
import { GROUP } from './names.ts';
import { PATH_RULES } from './pathrules.ts';
import { type Schema, schemaKeys, schemaOf } from './schema.ts';
import { nearest, suggestField } from './suggest.ts';
import { type FieldPath, oneOf, quoted, type Violation } from './violation.ts';

/**
 * Everything in which an object breaks the schema of its CRD, as the API server checks it with strict field validation
 * (what kubectl asks for), in the order of the schema. Objects of other kinds have no violations here.
 *
 * A walker of our own and not ajv: ajv costs 32 ms at import and as much again to compile these schemas, of the 240 ms
 * that a whole offline check may take; it knows nothing of int-or-string, list map keys and CEL; and its messages say
 * what a schema wants, not what to write. A test compares the verdicts of both on generated objects.
 */
export function validateSchema(object: Json): Violation[] {
  const apiVersion = stringAt(object, 'apiVersion');
  const kind = stringAt(object, 'kind');
  if (apiVersion === undefined || kind === undefined) return [];
  const schema = schemaOf(apiVersion, kind);
  if (schema === undefined) return unknownVersion(apiVersion, kind);
  const walk = new Walk();
  walk.value(object, { ...schema, properties: { ...schema.properties, metadata: METADATA_SCHEMA } }, []);
  return walk.violations;
}

/** A kind of ours in a version that it does not have. */
function unknownVersion(apiVersion: string, kind: string): Violation[] {
  const versions = schemaKeys()
    .filter((key) => key.endsWith(`/${kind}`))
    .map((key) => key.slice(0, -kind.length - 1));
  if (!apiVersion.startsWith(`${GROUP}/`) || versions.length === 0) return [];
  return [{ path: ['apiVersion'], message: `${kind} has no version ${quoted(apiVersion)}; write ${oneOf(versions)}` }];
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  object: 'a map of fields',
  array: 'a list',
  string: 'a text',
  integer: 'a whole number',
  boolean: 'true or false',
};

function typeWords(schema: Schema): string {
  if (schema['x-kubernetes-int-or-string'] === true) return 'a whole number or a text such as "20%"';
  if (schema.enum !== undefined) return oneOf(schema.enum);
  return TYPE_WORDS[schema.type ?? 'object'] ?? 'something else';
}

/** A text that YAML read as something else is the commonest mistake of all. */
function quoteHint(value: Json, path: FieldPath): string {
  if (typeof value === 'object') return '';
  const unit = path.at(-1) === 'traffic' && typeof value === 'number' ? '%' : '';
  return ` in quotes, "${String(value)}${unit}"`;
}

/** First number out of range for an integer's `format`; an integer without one is held to the widest. */
const LIMITS: Readonly<Record<string, bigint>> = { int32: 2n ** 31n, int64: 2n ** 63n };

/** RFC 3339, as the `date-time` format of OpenAPI takes it. */
const DATE_TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** One walk over an object and its schema together. The schema bounds the depth. */
class Walk {
  readonly violations: Violation[] = [];

  private add(path: FieldPath, message: string): void {
    this.violations.push({ path, message });
  }

  value(value: Json, schema: Schema, path: FieldPath): void {
    if (value === null) this.nothing(schema, path);
    else if (!hasType(value, schema)) this.wrongType(value, schema, path);
    else if (typeof value === 'string') this.text(value, schema, path);
    else if (isList(value)) this.list(value, schema, path);
    else if (isMap(value)) this.map(value, schema, path);
    else {
      const whole = wholeOf(value);
      if (whole !== undefined) this.number(whole, schema, path);
    }
  }

  private wrongType(value: Json, schema: Schema, path: FieldPath): void {
    const hint = schema.type === 'string' ? quoteHint(value, path) : '';
    this.add(path, `${quoted(value)} is not allowed here; write ${typeWords(schema)}${hint}`);
  }

  /** The API server drops a null where a default takes its place, and refuses it elsewhere. */
  private nothing(schema: Schema, path: FieldPath): void {
    if (schema.default !== undefined || isAnything(schema)) return;
    this.add(path, `null is not allowed here; write ${typeWords(schema)}, or leave the field out`);
  }

  private text(value: string, schema: Schema, path: FieldPath): void {
    const { enum: known, pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema;
    if (known !== undefined && !known.includes(value)) {
      const likely = nearest(value, known);
      const instead = likely === undefined ? oneOf(known) : `${likely} (${oneOf(known)} are known)`;
      this.add(path, `${quoted(value)} is not known; write ${instead}`);
    }
    // the API server counts characters, not UTF-16 units; only long texts need the slower count
    const length = value.length < maxLength ? value.length : [...value].length;
    if (length < minLength) this.add(path, `must not be empty; write at least ${minLength} character(s)`);
    if (length > maxLength) this.add(path, `has ${length} characters; write at most ${maxLength}`);
    if (pattern !== undefined && length >= minLength && !patternOf(pattern).test(value)) {
      this.add(path, `${quoted(value)} has characters that are not allowed; it must match ${pattern}`);
    }
    if (schema.format === 'date-time' && !(DATE_TIME.test(value) && !Number.isNaN(Date.parse(value)))) {
      this.add(path, `${quoted(value)} is no time; write it as 2006-01-02T15:04:05Z`);
    }
  }

  private number(value: bigint, schema: Schema, path: FieldPath): void {
    const limit = LIMITS[schema.format ?? 'int64'] ?? 2n ** 63n;
    const { minimum = -limit, maximum = limit - 1n } = schema;
    if (value < minimum || value > maximum) {
      this.add(path, `${value} is out of range; write a whole number from ${minimum} to ${maximum}`);
    }
  }

  private list(value: JsonList, schema: Schema, path: FieldPath): void {
    const { items = {}, maxItems = Number.POSITIVE_INFINITY } = schema;
    if (value.length > maxItems) this.add(path, `has ${value.length} entries; write at most ${maxItems}`);
    value.forEach((item, index) => {
      this.value(item, items, [...path, index]);
    });
    this.duplicates(value, schema, path);
  }

  /** Lists that are sets, or maps by a key, hold each entry or key once. */
  private duplicates(value: JsonList, schema: Schema, path: FieldPath): void {
    const keys = schema['x-kubernetes-list-map-keys'] ?? [];
    if (!['map', 'set'].includes(schema['x-kubernetes-list-type'] ?? '')) return;
    const seen = new Map<string, number>();
    value.forEach((item, index) => {
      const identity = keys.length === 0 ? item : keys.map((key) => member(item, key) ?? null);
      const text = canonicalJson(identity);
      const first = seen.get(text);
      if (first === undefined) seen.set(text, index);
      else
        this.add(
          [...path, index],
          `has the same ${keys.join(' and ') || 'value'} as entry [${first}]; keep one of them`,
        );
    });
  }

  private map(value: JsonMap, schema: Schema, path: FieldPath): void {
    const { properties, additionalProperties, required = [] } = schema;
    for (const field of required) {
      if (!Object.hasOwn(value, field))
        this.add([...path, field], `is missing; write ${typeWords(properties?.[field] ?? {})}`);
    }
    for (const [field, inner] of Object.entries(value)) {
      const known =
        properties !== undefined && Object.hasOwn(properties, field) ? properties[field] : additionalProperties;
      if (known !== undefined) this.value(inner, known, [...path, field]);
      else if (properties !== undefined) this.add([...path, field], suggestField(field, Object.keys(properties)));
    }
    for (const { rule, message } of schema['x-kubernetes-validations'] ?? []) this.rule(rule, message, value, path);
  }

  private rule(rule: string, message: string, value: JsonMap, path: FieldPath): void {
    const holds = PATH_RULES[rule];
    if (holds === undefined) throw new Error(`the schema has a CEL rule that offline checks do not know: ${rule}`);
    if (!holds(value)) this.add(path, message);
  }
}

function isAnything(schema: Schema): boolean {
  return schema.type === undefined && schema['x-kubernetes-int-or-string'] !== true;
}

/** A number without a fraction, of whatever size; undefined for every other value. */
function wholeOf(value: Json): bigint | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : undefined;
  return JSON.isRawJSON(value) && /^-?\d+$/.test(value.rawJSON) ? BigInt(value.rawJSON) : undefined;
}

function hasType(value: Json, schema: Schema): boolean {
  const isWhole = wholeOf(value) !== undefined;
  if (schema['x-kubernetes-int-or-string'] === true) return typeof value === 'string' || isWhole;
  switch (schema.type) {
    case 'object':
      return isMap(value);
    case 'array':
      return isList(value);
    case 'string':
      return typeof value === 'string';
    case 'boolean':
      return typeof value === 'boolean';
    case 'integer':
      return isWhole;
    default:
      return true;
  }
}

const patterns = new Map<string, RegExp>();

function patternOf(source: string): RegExp {
  const pattern = patterns.get(source) ?? new RegExp(source, 'u');
  patterns.set(source, pattern);
  return pattern;
}
