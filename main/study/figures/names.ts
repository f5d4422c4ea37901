/** Names as the figures print them. */
import { baselineKinds, type BaselineId } from '../../../core/attribution/baseline-kinds.ts';
import { methods, type MethodId } from '../../../core/attribution/methods.ts';
import { metrics, type Metric, type MetricId } from '../../../core/metrics/metrics.ts';

export function methodName(method: MethodId): string {
  return methods[method].name.replace('Integrated Gradients', 'IG');
}

export function baselineTitle(baseline: BaselineId | null): string {
  return baseline === null ? 'No baseline' : baselineKinds[baseline].name;
}

export function metricOf(metric: MetricId): Metric {
  return metrics[metric];
}

/** "Insertion (higher is better)"; what is neither says so. */
export function metricTitle(metric: MetricId): string {
  return `${metricOf(metric).name} (${direction(metric)})`;
}

function direction(metric: MetricId): string {
  const { better } = metricOf(metric);
  return better === 'neither' ? 'neither end is better' : `${better} is better`;
}

export function groupName(group: string | null): string {
  return group === null ? 'all images' : group === '' ? 'without a label' : group;
}

/** For a file's name. */
export function slug(...parts: readonly (string | null)[]): string {
  return parts
    .filter((part) => part !== null)
    .map((part) =>
      part
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}]+/gu, '-')
        .replaceAll(/^-+|-+$/g, ''),
    )
    .filter((part) => part !== '')
    .join('_');
}

/** The different values in their order of appearance. */
export function distinct<T>(values: Iterable<T>): T[] {
  return [...new Set(values)];
}

/** "24" or "22 to 24". */
export function spanOf(counts: readonly number[]): string {
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? String(least) : `${least} to ${most}`;
}

/** Pieces of at most `size`. */
export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}

/** IDGI shares out every change of the score along its path, so that its map sums to what it should, good or not. */
export function sumsByConstruction(method: MethodId): boolean {
  return method.startsWith('idgi-');
}

/** "X, Y and Z"; more than three are counted. */
export function listed(names: readonly string[], all: number): string {
  return names.length > 3
    ? `${names.length} of ${all}`
    : new Intl.ListFormat('en-GB', { type: 'conjunction' }).format(names);
}
