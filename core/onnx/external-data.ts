/** Weights that a model keeps in files beside it (ONNX ExternalData.md). */
import { PathlightError } from '../contract/errors.ts';

/** The content of each file, by the name that the model states. */
export type ExternalFiles = ReadonlyMap<string, Uint8Array>;

/** A name that stays inside the model's folder: no absolute path, no way up, no drive, no empty part. */
export function staysInFolder(location: string): boolean {
  const parts = location.split(/[/\\]/);
  return !location.includes('\0') && parts.every((part) => !['', '..'].includes(part) && !part.includes(':'));
}

/**
 * @param entries key and value pairs of the tensor
 * @param name of the tensor, for messages
 * @throws PathlightError unsupported: outside the model's folder; not-found; damaged: beyond the file's end
 */
export function externalBytes(
  entries: readonly { key: string; value: string }[],
  name: string,
  files: ExternalFiles,
): Uint8Array {
  const stated = new Map(entries.map(({ key, value }) => [key, value]));
  const location = stated.get('location') ?? '';
  if (!staysInFolder(location)) {
    throw new PathlightError(
      'unsupported',
      `The tensor ${name} lies in "${location}", outside the model's own folder.`,
      'Save the model with its weights inside: in Python, onnx.save(onnx.load("model.onnx"), "whole.onnx").',
    );
  }
  const file = files.get(location);
  if (file === undefined) {
    throw new PathlightError(
      'not-found',
      `The tensor ${name} lies in the file "${location}", which is not there.`,
      'Put the file beside the model, under that name.',
    );
  }
  const offset = Number(stated.get('offset') ?? 0);
  const length = Number(stated.get('length') ?? file.length - offset);
  const inside = Number.isInteger(offset) && offset >= 0 && Number.isInteger(length) && length >= 0;
  if (!inside || offset + length > file.length) {
    throw new PathlightError(
      'damaged',
      `The tensor ${name} takes ${stated.get('length') ?? 'all'} bytes from ${stated.get('offset') ?? 0} of the file "${location}", which has ${file.length}.`,
      'Copy or export the model again, with the files that belong to it.',
    );
  }
  return file.subarray(offset, offset + length);
}
