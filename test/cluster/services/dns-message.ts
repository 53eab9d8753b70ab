/** A question of a DNS query. Only the first is read: nobody sends more. */
export type Question = { readonly id: number; readonly name: string; readonly type: number; readonly end: number };

export const TYPE_A = 1;
const HEADER_BYTES = 12;
const CLASS_IN = 1;
const TTL_SECONDS = 1;
/** A name that points to the question's (RFC 1035 4.1.4). */
const POINTER_TO_QUESTION = 0xc000 | HEADER_BYTES;
/** Response, authoritative, recursion desired and available. */
const FLAGS = 0x8580;
const NO_SUCH_NAME = 3;

/**
 * Reads a query (RFC 1035 4.1); the name comes in lower case without a dot at its end.
 * @throws RangeError for a message that is too short
 */
export function readQuestion(message: Buffer): Question {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return {
    id: message.readUInt16BE(0),
    name: labels.join('.').toLowerCase(),
    type: message.readUInt16BE(at + 1),
    end: at + 5,
  };
}

/** The answer to a query: IPv4 addresses, none for another type of record, or undefined for a name that is not there. */
export function answerTo(message: Buffer, question: Question, addresses: readonly string[] | undefined): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(question.id, 0);
  header.writeUInt16BE(FLAGS | (addresses === undefined ? NO_SUCH_NAME : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(addresses?.length ?? 0, 6);
  return Buffer.concat([header, message.subarray(HEADER_BYTES, question.end), ...(addresses ?? []).map(record)]);
}

function record(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16BE(POINTER_TO_QUESTION, 0);
  bytes.writeUInt16BE(TYPE_A, 2);
  bytes.writeUInt16BE(CLASS_IN, 4);
  bytes.writeUInt32BE(TTL_SECONDS, 6);
  bytes.writeUInt16BE(4, 10);
  for (const [i, part] of address.split('.').entries()) bytes.writeUInt8(Number(part), 12 + i);
  return bytes;
}
