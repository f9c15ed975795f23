/** Numbers and times as people read them. Pure: the present moment is an argument. */
import type { Outcome } from '$lib/api';

/** Three significant digits, or all digits of a larger whole: what a figure reads as. */
function rounded(value: number): number {
	return value >= 1000 ? Math.round(value) : Number(value.toPrecision(3));
}

function scaled(value: number, step: number, units: readonly string[]): string {
	let scaled = value;
	let unit = 0;
	// Compared as it will be shown, so that 999 950 is "1 M" and never "1000 k".
	while (unit + 1 < units.length && rounded(scaled) >= step) {
		scaled /= step;
		unit += 1;
	}
	return `${unit === 0 ? Math.round(scaled) : rounded(scaled)} ${units[unit]}`.trimEnd();
}

/** A count with decimal prefixes: fuel, requests. "412 k", "500 M". */
export function count(value: number): string {
	return scaled(value, 1000, ['', 'k', 'M', 'G', 'T']);
}

/** Bytes with binary prefixes: "2.5 MiB". */
export function bytes(value: number): string {
	return scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
}

/** A duration in microseconds: "38 µs", "1.24 ms", "3.5 s". */
export function micros(value: number): string {
	return scaled(value, 1000, ['µs', 'ms', 's']);
}

/** A duration in milliseconds, up to days: "40 ms", "90 s", "15 min", "7 d". Whole units only where they are exact. */
export function millis(value: number): string {
	if (value < 1000) return `${Math.round(value)} ms`;
	const seconds = value / 1000;
	for (const [unit, name] of [[86_400, 'd'], [3600, 'h'], [60, 'min']] as const) {
		if (seconds >= unit * 2 || (seconds >= unit && seconds % unit === 0)) return `${rounded(seconds / unit)} ${name}`;
	}
	return `${rounded(seconds)} s`;
}

/** A part of a whole: "0.4 %", "12 %"; a dash where there is no whole. */
export function percent(part: number, whole: number): string {
	if (whole === 0) return '–';
	const value = (part / whole) * 100;
	if (value > 0 && value < 0.1) return '< 0.1 %';
	return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} %`;
}

/** "1 call", "12 calls"; `many` where an s does not do. */
export function plural(value: number, one: string, many = `${one}s`): string {
	return `${exact(value)} ${value === 1 ? one : many}`;
}

/** Date and time in the reader's zone, to the second: "2026-03-01 13:00:07". */
export function moment(at: string): string {
	const date = new Date(at);
	if (Number.isNaN(date.getTime())) return at;
	const two = (value: number) => String(value).padStart(2, '0');
	const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
	return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Every digit, grouped: for titles beside a rounded figure. */
export function exact(value: number): string {
	return value.toLocaleString('en').replaceAll(',', '\u202f');
}

const SPANS = [
	[60, 1, 'second'],
	[3600, 60, 'minute'],
	[86_400, 3600, 'hour'],
	[30 * 86_400, 86_400, 'day']
] as const;

/** "3 minutes ago"; a date past thirty days; "just now" also for a clock that is slightly behind. */
export function ago(at: string, now: number): string {
	const then = Date.parse(at);
	if (Number.isNaN(then)) return at;
	const seconds = Math.floor((now - then) / 1000);
	if (seconds < 5) return 'just now';
	for (const [below, unit, name] of SPANS) {
		if (seconds < below) {
			const many = Math.floor(seconds / unit);
			return `${many} ${name}${many === 1 ? '' : 's'} ago`;
		}
	}
	return at.slice(0, 10);
}

/** "in 3 minutes": of what is to come; the date past thirty days; "now" once it is there. */
export function until(at: string, now: number): string {
	const then = Date.parse(at);
	if (Number.isNaN(then)) return at;
	const seconds = Math.ceil((then - now) / 1000);
	if (seconds < 1) return 'now';
	for (const [below, unit, name] of SPANS) {
		if (seconds < below) {
			const many = Math.floor(seconds / unit);
			return `in ${many} ${name}${many === 1 ? '' : 's'}`;
		}
	}
	return at.slice(0, 10);
}

/** Time since `start` as a signed offset ("+1.2 ms"): when a log line was written. */
export function offset(at: string, start: string): string {
	const ms = Date.parse(at) - Date.parse(start);
	if (Number.isNaN(ms)) return '';
	// Date keeps milliseconds; the API's stamps carry more, so the fraction is read from the text.
	const fraction = submillis(at) - submillis(start);
	return `+${micros(Math.max(0, Math.round(ms * 1000 + fraction)))}`;
}

/** Microseconds within the millisecond of an RFC 3339 stamp: 0..=999. */
function submillis(stamp: string): number {
	const digits = /\.(\d+)/.exec(stamp)?.[1] ?? '';
	return Number(digits.padEnd(6, '0').slice(3, 6));
}

/** Which colour an outcome takes. */
export function tone(outcome: Outcome): 'good' | 'warn' | 'bad' {
	switch (outcome) {
		case 'responded':
		case 'completed':
			return 'good';
		case 'denied':
		case 'fuel_exhausted':
		case 'memory_exceeded':
		case 'deadline_exceeded':
			return 'warn';
		default:
			return 'bad';
	}
}

/** An outcome in words: "fuel exhausted". */
export function words(outcome: string): string {
	return outcome.replaceAll('_', ' ');
}
