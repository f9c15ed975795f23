/** Geometry of charts: numbers in, numbers and path texts out. Pure. */

export interface Series {
	name: string;
	/** One for each label; null where nothing is known. */
	values: readonly (number | null)[];
	/** 1 calls, 2 failures, 3 to 5 others: the chart colours of app.css. */
	color: 1 | 2 | 3 | 4 | 5;
}

/** Round figures from 0 to at least the largest value: what the axis says. At least [0, 1]. With `base` 1024 round in KiB, MiB, … */
export function ticks(max: number, about = 4, base: 10 | 1024 = 10): number[] {
	if (!(max > 0) || !Number.isFinite(max)) return [0, 1];
	if (base === 1024 && max >= 1024) {
		const unit = 1024 ** Math.floor(Math.log2(max) / 10);
		return ticks(max / unit, about).map((tick) => tick * unit);
	}
	const rough = max / about;
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough;
	const count = Math.ceil(max / step - 1e-9);
	return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

/** The largest of all, or of the sums where they are stacked. */
export function largest(series: readonly Series[], stacked: boolean): number {
	const count = Math.max(0, ...series.map(({ values }) => values.length));
	let max = 0;
	for (let at = 0; at < count; at += 1) {
		const values = series.map(({ values }) => values[at] ?? 0);
		max = Math.max(max, stacked ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values));
	}
	return max;
}

/** Two decimals are finer than a pixel. */
const near = (value: number) => Math.round(value * 100) / 100;

/** A line through the values; a gap where one is null. `x` and `y` place them. */
export function line(values: readonly (number | null)[], x: (at: number) => number, y: (value: number) => number): string {
	let path = '';
	let pen = false;
	values.forEach((value, at) => {
		if (value === null) {
			pen = false;
			return;
		}
		path += `${pen ? 'L' : 'M'}${near(x(at))} ${near(y(value))}`;
		pen = true;
	});
	return path;
}

/** The same, closed down to the ground: stretches without a gap, each for itself. */
export function area(
	values: readonly (number | null)[],
	x: (at: number) => number,
	y: (value: number) => number,
	ground: number
): string {
	let path = '';
	let from: number | null = null;
	for (let at = 0; at <= values.length; at += 1) {
		const value = values[at] ?? null;
		if (value !== null) {
			path += from === null ? `M${near(x(at))} ${near(ground)}` : '';
			from ??= at;
			path += `L${near(x(at))} ${near(y(value))}`;
		} else if (from !== null) {
			path += `L${near(x(at - 1))} ${near(ground)}Z`;
			from = null;
		}
	}
	return path;
}

/** Which labels are written so that they do not touch: every nth. */
export function every(count: number, width: number, labelWidth = 64): number {
	return Math.max(1, Math.ceil((count * labelWidth) / Math.max(1, width)));
}

/** The value under a pointer at `x` of `width`. */
export function nearest(x: number, width: number, count: number): number {
	return Math.max(0, Math.min(count - 1, Math.floor((x / Math.max(1, width)) * count)));
}
