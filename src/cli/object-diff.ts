import { createTwoFilesPatch } from 'diff';
import { canonicalJson, parseJson } from '../json/text.ts';
import type { JsonMap } from '../json/value.ts';
import { writeYaml } from '../manifest/write.ts';
import { diffLine } from './diff-line.ts';
import type { Channel } from './terminal.ts';

/** Above so many edits a line by line comparison takes seconds and is no help to a reader. */
const MOST_EDITS = 4_000;

/**
 * The lines of a coloured unified diff of two objects as YAML with sorted keys; none when they are equal. An object that
 * does not exist is undefined.
 */
export function objectDiff(before: JsonMap | undefined, after: JsonMap | undefined, channel: Channel): string[] {
  const [old, now] = [text(before), text(after)];
  if (old === now) return [];
  const patch = createTwoFilesPatch('', '', old, now, undefined, undefined, { context: 3, maxEditLength: MOST_EDITS });
  if (patch === undefined) return [channel.paint('dim', 'too many lines differ to be shown; use -o yaml')];
  const lines = patch.trimEnd().split('\n');
  return lines.slice(lines.findIndex((line) => line.startsWith('@@'))).map((line) => diffLine(line, channel));
}

function text(object: JsonMap | undefined): string {
  return object === undefined ? '' : writeYaml(parseJson(canonicalJson(object)));
}
