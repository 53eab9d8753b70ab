import { isMap, type JsonMap, stringAt } from '../../json/value.ts';
import { isNotUsers } from '../../rewrite/declared.ts';
import { objectDiff } from '../object-diff.ts';
import type { Channel, Terminal } from '../terminal.ts';
import { runDemo } from './demo.ts';
import type { Screen } from './release.ts';

/** Plays the release of the example and shows it. @returns the exit code: 1 when a check failed. */
export async function demo({ out }: Terminal, now: Date): Promise<number> {
  const started = performance.now();
  const { failed, checks, reviews } = await runDemo(screenOn(out), now);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const summary = `${checks - failed} of ${checks} checks hold, ${reviews} reviews over HTTPS, ${seconds} s`;
  out.line(`\n${out.paint(failed === 0 ? 'green' : 'red', summary)}`);
  return failed === 0 ? 0 : 1;
}

function screenOn(out: Channel): Screen {
  let stage = 0;
  return {
    heading(title, how) {
      stage += 1;
      out.line(`\n${out.paint('bold', `${stage}. ${title}`)}\n   ${out.paint('dim', how)}`);
    },
    difference(before, after) {
      const changes = objectDiff(withoutNotes(before), withoutNotes(after), out);
      const notes = notesOf(before, after);
      if (changes.length + notes.length > 0)
        out.line(`   ${stringAt(after, 'kind')} ${stringAt(after, 'metadata', 'name')}`);
      if (changes.length > 0) out.line(changes.join('\n'));
      if (notes.length > 0) out.line(out.paint('dim', `   annotations: ${notes.join(', ')}`));
    },
    warnings(texts) {
      for (const text of texts) out.line(out.paint('yellow', `Warning: ${text}`));
    },
    check(what, holds) {
      out.line(holds ? `${out.paint('green', '✓')} ${what}` : out.paint('red', `✗ ${what}`));
    },
  };
}

/** The object without the annotations that only tools read. */
function withoutNotes(object: JsonMap): JsonMap {
  const { annotations, ...metadata } = isMap(object['metadata']) ? object['metadata'] : {};
  const users = Object.entries(isMap(annotations) ? annotations : {}).filter(([key]) => !isNotUsers(key));
  return {
    ...object,
    metadata: users.length === 0 ? metadata : { ...metadata, annotations: Object.fromEntries(users) },
  };
}

/** What became of those annotations: `+` set, `~` changed, `-` gone. */
function notesOf(before: JsonMap, after: JsonMap): string[] {
  const [old, now] = [annotationsOf(before), annotationsOf(after)];
  const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])].filter(isNotUsers);
  return keys.flatMap((key) => {
    if (old[key] === now[key]) return [];
    if (old[key] === undefined) return [`+ ${key}`];
    return [`${now[key] === undefined ? '-' : '~'} ${key}`];
  });
}

function annotationsOf(object: JsonMap): JsonMap {
  const metadata = isMap(object['metadata']) ? object['metadata'] : {};
  return isMap(metadata['annotations']) ? metadata['annotations'] : {};
}
