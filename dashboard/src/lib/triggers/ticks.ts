/** Ticks of a schedule in words, in its own time zone. Pure: the present moment and the language are arguments. */
import { until } from '$lib/format';

export interface TickWords {
	/** "Monday, 5 January 2026". */
	day: string;
	/** "06:30:00" where the seconds matter, else "06:30". */
	time: string;
	/** "in 3 days". */
	ahead: string;
}

function formatter(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
	try {
		return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone });
	} catch {
		// A zone that the server knows and this browser does not.
		return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' });
	}
}

export function tickWords(at: string, zone: string, now: number): TickWords {
	const date = new Date(at);
	if (Number.isNaN(date.getTime())) return { day: at, time: '', ahead: '' };
	const day = formatter(zone, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }).format(date);
	const clock: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
	if (date.getUTCSeconds() !== 0) clock.second = '2-digit';
	return { day, time: formatter(zone, clock).format(date), ahead: until(at, now) };
}

/** Ticks one after the other, those of one day together. */
export function byDay(ticks: readonly string[], zone: string, now: number): { day: string; ticks: TickWords[] }[] {
	const days: { day: string; ticks: TickWords[] }[] = [];
	for (const at of ticks) {
		const words = tickWords(at, zone, now);
		const last = days.at(-1);
		if (last?.day === words.day) last.ticks.push(words);
		else days.push({ day: words.day, ticks: [words] });
	}
	return days;
}

/** Schedules to begin with. */
export const EXAMPLES = [
	{ schedule: '0 * * * * *', text: 'every minute' },
	{ schedule: '0 */15 * * * *', text: 'every quarter of an hour' },
	{ schedule: '0 0 * * * *', text: 'every hour' },
	{ schedule: '0 30 2 * * *', text: 'every night at 02:30' },
	{ schedule: '0 30 6 * * MON-FRI', text: 'on weekdays at 06:30' },
	{ schedule: '0 0 8 1 * *', text: 'on the first of each month at 08:00' }
] as const;

/** The fields of a schedule with what is written in each: six of them, seconds first. */
export function fields(schedule: string): { name: string; text: string }[] {
	const parts = schedule.trim().split(/\s+/).filter(Boolean);
	return ['second', 'minute', 'hour', 'day of month', 'month', 'day of week'].map((name, at) => ({
		name,
		text: parts[at] ?? ''
	}));
}
