/** The form in which a message crosses a channel: JSON as text; with a buffer, both in one binary block. */
import { PathlightError } from './errors.ts';

/** Text, or a binary block: uint32 LE length of the JSON, the JSON in UTF-8, the buffer. */
export type Packet = string | ArrayBuffer;

export interface Message {
  json: unknown;
  data?: ArrayBuffer;
}

const LENGTH_BYTES = 4;

export function encodePacket({ json, data }: Message): Packet {
  const text = JSON.stringify(json);
  if (data === undefined) return text;
  const head = new TextEncoder().encode(text);
  const packet = new Uint8Array(LENGTH_BYTES + head.length + data.byteLength);
  new DataView(packet.buffer).setUint32(0, head.length, true);
  packet.set(head, LENGTH_BYTES);
  packet.set(new Uint8Array(data), LENGTH_BYTES + head.length);
  return packet.buffer;
}

/** @throws PathlightError `bad-request` where the packet is not one that `encodePacket` makes */
export function decodePacket(packet: Packet): Message {
  if (typeof packet === 'string') return { json: parse(packet) };
  const length = packet.byteLength < LENGTH_BYTES ? Infinity : new DataView(packet).getUint32(0, true);
  if (length > packet.byteLength - LENGTH_BYTES) throw malformed();
  const text = new TextDecoder().decode(new Uint8Array(packet, LENGTH_BYTES, length));
  return { json: parse(text), data: packet.slice(LENGTH_BYTES + length) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw malformed({ cause });
  }
}

function malformed(options?: ErrorOptions): PathlightError {
  return new PathlightError('bad-request', 'A message that is not in the form of the contract', '', options);
}
