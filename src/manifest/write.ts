import { isList, isMap, type Json } from '../json/value.ts';

/**
 * Words and numbers that a YAML 1.1 or 1.2 reader takes for something other than the text they are: null, booleans
 * (`yes`, `on`), numbers in any base, dates, merge keys. Such texts are quoted.
 */
const OTHER_THAN_TEXT =
  /^(?:~|null|true|false|yes|no|on|off|y|n|<<|=|[-+]?(?:\.?\d[\d_.:eExXoObBa-fA-F+-]*(?:[tT ].*)?|\.(?:inf|nan)))$/i;

/** Texts that need no quotes wherever they stand: no indicator in front, nothing inside that ends a plain scalar. */
const PLAIN = /^[\w./$<=(~^+;][\w./$<>=()~^+;,@%*&!?|"'`{}[\]\\-]*(?:[ :][\w./$<>=()~^+;,@%*&!?|"'`{}[\]\\-]+)*$/;

/** Characters that YAML wants escaped or that a reader could not see: controls, line separators, byte order marks. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]/u;
const HIDDEN_ALL = new RegExp(HIDDEN.source, 'gu');

/**
 * A JSON value as a YAML document, ending in a line break: block style, two spaces, keys in the order that the value
 * has, several-line texts as `|` blocks, numbers with every digit. Equal values in equal key order give equal text, and
 * `readManifests` gives the value back.
 */
export function writeYaml(value: Json): string {
  return isBlock(value) ? block(value, '') : `${inline(value, '')}\n`;
}

function isBlock(value: Json): boolean {
  return isList(value) ? value.length > 0 : isMap(value) && Object.keys(value).length > 0;
}

function block(value: Json, indent: string): string {
  if (isList(value)) return value.map((item) => `${indent}-${listItem(item, indent)}`).join('');
  if (!isMap(value)) return '';
  return Object.entries(value)
    .map(([key, member]) => `${indent}${text(key)}:${mapMember(member, indent)}`)
    .join('');
}

/** A list under a key stands at the key's own indentation, as kubectl writes it. */
function mapMember(value: Json, indent: string): string {
  if (!isBlock(value)) return ` ${inline(value, indent)}\n`;
  return `\n${block(value, isList(value) ? indent : `${indent}  `)}`;
}

/** What follows the dash: the first line of a map or list stands beside it. */
function listItem(value: Json, indent: string): string {
  if (!isBlock(value)) return ` ${inline(value, indent)}\n`;
  return ` ${block(value, `${indent}  `).slice(indent.length + 2)}`;
}

function inline(value: Json, indent: string): string {
  if (typeof value === 'string') return isLines(value) ? literal(value, indent) : text(value);
  // empty lists and maps, null, booleans and numbers of both sorts are the same in YAML as in JSON
  return JSON.stringify(value);
}

function text(value: string): string {
  if (PLAIN.test(value) && !OTHER_THAN_TEXT.test(value)) return value;
  return JSON.stringify(value).replace(
    HIDDEN_ALL,
    (hidden) => `\\u${hidden.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** True when a text is written as a `|` block: several lines, all of them visible as they are. */
function isLines(value: string): boolean {
  if (!/[^\n]\n/.test(value) || /^[ \t\n]|[ \t]\n|[ \t]$/.test(value)) return false;
  return !HIDDEN.test(value.replaceAll('\n', '').replaceAll('\t', ''));
}

/** `|` keeps one line break at the end, `|-` none, `|+` all. */
function literal(value: string, indent: string): string {
  const chomp = value.endsWith('\n\n') ? '+' : value.endsWith('\n') ? '' : '-';
  const body = value.endsWith('\n') ? value.slice(0, -1) : value;
  const lines = body.split('\n').map((line) => (line === '' ? '' : `${indent}  ${line}`));
  return `|${chomp}\n${lines.join('\n')}`;
}
