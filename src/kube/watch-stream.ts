import { at, isMap, type Json, stringAt } from '../json/value.ts';
import { apiError, NoAnswer } from './api-error.ts';
import type { KubeObject } from './client.ts';

/** An event of a watch. A `BOOKMARK` carries no object, only the resourceVersion that the watch has come to. */
export type WatchEvent = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: KubeObject };

/**
 * Reads the events of a watch's answer, one line each, as they come. What is left of a line when the stream ends is
 * dropped: the event comes again when the watch is reopened.
 * @throws ApiError for an `ERROR` event, NoAnswer when the connection is cut, or something on the way wrote a line that
 *   is no event.
 */
export async function* watchEvents(
  chunks: AsyncIterable<Buffer>,
  what: string,
  parse: (text: string) => Json,
): AsyncGenerator<WatchEvent> {
  for await (const line of lines(chunks, what)) {
    const event = eventOf(line, what, parse);
    const [type, object] = [stringAt(event, 'type'), at(event, ['object'])];
    if (!isMap(object)) throw noEvent(what, line);
    if (type === 'ERROR') throw apiError(what, Number(at(object, ['code']) ?? 500), JSON.stringify(object));
    if (!isEventType(type)) throw noEvent(what, line);
    yield { type, object };
  }
}

function eventOf(line: string, what: string, parse: (text: string) => Json): Json {
  try {
    return parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) throw noEvent(what, line);
    throw error;
  }
}

function noEvent(what: string, line: string): NoAnswer {
  return new NoAnswer(`${what}: a line of the watch is no event: ${line.slice(0, 200)}`);
}

function isEventType(type: string | undefined): type is WatchEvent['type'] {
  return type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK';
}

const NEWLINE = 0x0a; // never part of another character in UTF-8, and escaped within JSON

/** Complete lines of a stream of bytes. */
async function* lines(chunks: AsyncIterable<Buffer>, what: string): AsyncGenerator<string> {
  let begun: Buffer[] = [];
  try {
    for await (const chunk of chunks) {
      let from = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
        const line = Buffer.concat([...begun, chunk.subarray(from, end)]).toString();
        begun = [];
        from = end + 1;
        if (line !== '') yield line;
      }
      if (from < chunk.length) begun.push(chunk.subarray(from));
    }
  } catch (error) {
    // Only reading throws in here: whoever takes the lines ends this generator instead.
    throw new NoAnswer(`${what}: the connection was cut: ${(error as Error).message}`, { cause: error });
  }
}
