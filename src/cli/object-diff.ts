import { canonicalJson, parseJson } from '../json/text.ts';
import type { JsonMap } from '../json/value.ts';
import { writeYaml } from '../manifest/write.ts';
import { diffLine } from './diff-line.ts';
import { lineDiff } from './line-diff.ts';
import type { Channel } from './terminal.ts';

/**
 * The lines of a coloured unified diff of two objects as YAML with sorted keys; none when they are equal. An object that
 * does not exist is undefined.
 */
export function objectDiff(before: JsonMap | undefined, after: JsonMap | undefined, channel: Channel): string[] {
  return lineDiff(text(before), text(after)).map((line) => diffLine(line, channel));
}

function text(object: JsonMap | undefined): string {
  return object === undefined ? '' : writeYaml(parseJson(canonicalJson(object)));
}
