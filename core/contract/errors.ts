/** One error type for everything a reader is told: what happened, to what, and what to do. Never holds patient data. */

export type ErrorKind =
  /** The file or folder does not exist or cannot be read. */
  | 'not-found'
  /** Not a file of the kind expected (not DICOM, not ONNX, not a card). */
  | 'not-recognised'
  /** Damaged or contradicting itself. */
  | 'damaged'
  /** Well-formed, but of a kind Pathlight does not handle. */
  | 'unsupported'
  /** Larger than the budget allows. */
  | 'too-large'
  /** A model is unknown, has no card, or does not match its hash. */
  | 'model-refused'
  /** A device is not there, or computes other numbers than the CPU. */
  | 'device-refused'
  /** The engine process died or could not start. */
  | 'engine'
  /** Writing failed: disk full, no permission. */
  | 'write-failed'
  /** The request does not fit its schema, or names something unknown. */
  | 'bad-request'
  | 'cancelled'
  | 'internal';

export class PathlightError extends Error {
  override readonly name = 'PathlightError';
  readonly kind: ErrorKind;
  readonly advice: string;

  /**
   * @param message what happened and to what: file, tag or node
   * @param advice what the reader can do
   */
  constructor(kind: ErrorKind, message: string, advice = '', options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
    this.advice = advice;
  }
}

/** The error as it crosses a channel. */
export interface ErrorReport {
  kind: ErrorKind;
  message: string;
  advice: string;
}

/** Anything thrown, as a report; an unexpected error keeps its message and is called internal. */
export function toErrorReport(thrown: unknown): ErrorReport {
  if (thrown instanceof PathlightError) {
    return { kind: thrown.kind, message: thrown.message, advice: thrown.advice };
  }
  if (thrown instanceof Error && thrown.name === 'AbortError') {
    return { kind: 'cancelled', message: 'Cancelled', advice: '' };
  }
  return { kind: 'internal', message: thrown instanceof Error ? thrown.message : String(thrown), advice: '' };
}

export function fromErrorReport(report: ErrorReport): PathlightError {
  return new PathlightError(report.kind, report.message, report.advice);
}
