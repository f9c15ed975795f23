/** Periods of time as charts want them: every one, with words. Pure: the present is an argument. */
import type { AppUsage } from '$lib/api';

export type Period = 'minute' | 'hour' | 'day';

export const PERIOD_MS: Readonly<Record<Period, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** How far back one may look, by the length of a period. The API answers at most 1 500 periods at once. */
export const SPANS: Readonly<Record<Period, readonly { count: number; label: string }[]>> = {
	minute: [
		{ count: 60, label: 'the last hour' },
		{ count: 360, label: 'the last 6 hours' },
		{ count: 1440, label: 'the last 24 hours' }
	],
	hour: [
		{ count: 24, label: 'the last 24 hours' },
		{ count: 168, label: 'the last 7 days' },
		{ count: 720, label: 'the last 30 days' }
	],
	day: [
		{ count: 30, label: 'the last 30 days' },
		{ count: 90, label: 'the last 90 days' },
		{ count: 365, label: 'the last year' }
	]
};

export function periodFrom(word: string | null): Period {
	return word === 'minute' || word === 'day' ? word : 'hour';
}

/** How many periods back: what the address says, when it is one of the choices. */
export function countFrom(word: string | null, period: Period): number {
	const asked = Number(word);
	const first = SPANS[period][0]?.count ?? 24;
	return SPANS[period].some(({ count }) => count === asked) ? asked : first;
}

/** When the first of so many periods began, the one that runs now being the last. UTC, as the API cuts them. */
export function firstOf(period: Period, count: number, now: number): number {
	const length = PERIOD_MS[period];
	return Math.floor(now / length) * length - (count - 1) * length;
}

const EMPTY: Omit<AppUsage, 'started_at'> = {
	bytes_in: 0,
	bytes_out: 0,
	calls: 0,
	failed: 0,
	fuel: 0,
	host_calls: 0,
	log_bytes: 0,
	memory_peak_bytes: 0,
	refused: 0,
	wall_us: 0
};

/** Every period from `first` on, those in which nothing was called among them. */
export function filled(items: readonly AppUsage[], period: Period, count: number, first: number): AppUsage[] {
	const length = PERIOD_MS[period];
	const known = new Map(items.map((item) => [Math.floor(Date.parse(item.started_at) / length), item]));
	return Array.from({ length: count }, (_, index) => {
		const at = first + index * length;
		return known.get(Math.floor(at / length)) ?? { ...EMPTY, started_at: new Date(at).toISOString() };
	});
}

/** Sums of all, and the highest peak. */
export function together(items: readonly AppUsage[]): Omit<AppUsage, 'started_at'> {
	const sum = { ...EMPTY };
	for (const item of items) {
		for (const key of Object.keys(EMPTY) as (keyof typeof EMPTY)[]) {
			if (key === 'script_id') continue;
			sum[key] = key === 'memory_peak_bytes' ? Math.max(sum[key], item[key]) : sum[key] + item[key];
		}
	}
	return sum;
}

/** The same for each script, those that burnt most first. */
export function byScript(items: readonly AppUsage[]): { script_id: string; used: Omit<AppUsage, 'started_at'> }[] {
	const groups = new Map<string, AppUsage[]>();
	for (const item of items) {
		const id = item.script_id ?? '';
		const group = groups.get(id);
		if (group) group.push(item);
		else groups.set(id, [item]);
	}
	return [...groups]
		.map(([script_id, group]) => ({ script_id, used: together(group) }))
		.sort((one, other) => other.used.fuel - one.used.fuel || other.used.calls - one.used.calls);
}

const two = (value: number) => String(value).padStart(2, '0');

/** What stands below a period of a chart, in the reader's zone; days are those of UTC, as they are counted. */
export function label(at: string | number, period: Period, long = false): string {
	const date = new Date(at);
	if (period === 'day') return `${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
	const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
	return long ? `${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}` : clock;
}
