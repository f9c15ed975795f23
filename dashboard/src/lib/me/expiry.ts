/** When a key ends. Pure: the present moment is an argument. */

export const periods = ['7', '30', '90', '365', 'never', 'date'] as const;
export type Period = (typeof periods)[number];

const DAY_MS = 86_400_000;

/**
 * The stamp for the API; undefined: never. A date ends with its day where the reader is. `null` where that is no date, or
 * one that is over.
 */
export function expiry(period: Period, date: string, now: number): string | undefined | null {
	if (period === 'never') return undefined;
	if (period !== 'date') return new Date(now + Number(period) * DAY_MS).toISOString();
	const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(date);
	if (!parts) return null;
	const end = new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]), 23, 59, 59);
	return end.getTime() > now ? end.toISOString() : null;
}

/** Whether a key has ended, or is about to: within seven days. */
export function ending(at: string | null, now: number): 'ended' | 'soon' | null {
	if (at === null) return null;
	const left = Date.parse(at) - now;
	return left <= 0 ? 'ended' : left < 7 * DAY_MS ? 'soon' : null;
}
