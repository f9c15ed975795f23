/** Rows of a log: lines and ends as they are shown, and how many are kept. Pure. */
import type { FollowEnd, FollowItem, Followed, FollowLine, LogLevel, Outcome } from '$lib/api';
import { tone } from '$lib/format';

/** Rows that a page keeps: older ones go. */
export const ROWS_MAX = 10_000;

/** The newer rows behind the older ones, at most `max` in all; a row that is there already does not come twice. */
export function appended<T extends { id: string }>(rows: readonly T[], batch: readonly T[], max = ROWS_MAX): T[] {
	const seen = new Set(rows.slice(-Math.max(batch.length, 256)).map(({ id }) => id));
	const fresh = batch.filter(({ id }) => !seen.has(id));
	const all = [...rows, ...fresh];
	return all.length > max ? all.slice(all.length - max) : all;
}

/** Told apart as in a stream. */
export function followed({ id, event, data }: FollowItem): Followed {
	return event === 'line' ? { id, event, data: data as FollowLine } : { id, event, data: data as FollowEnd };
}

/** The level that a row counts as: the end of an execution is an error where it failed. */
export function levelOf(row: Followed): LogLevel {
	if (row.event === 'line') return row.data.level;
	if (row.event === 'dropped') return 'warn';
	return failed(row.data.outcome) ? 'error' : 'info';
}

export function failed(outcome: Outcome): boolean {
	return tone(outcome) !== 'good';
}

/** "13:00:07.123" in the reader's zone. */
export function clock(at: string): string {
	const date = new Date(at);
	if (Number.isNaN(date.getTime())) return at;
	const two = (value: number) => String(value).padStart(2, '0');
	const ms = String(date.getMilliseconds()).padStart(3, '0');
	return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

/** Data of a line as one line of text. */
export function dataText(data: unknown): string {
	if (data === undefined || data === null) return '';
	return typeof data === 'string' ? data : (JSON.stringify(data) ?? '');
}

/**
 * The begin of a look back: as far before `from` as what lies between it and now, a minute at least, times `scale`, which
 * grows where little is found and shrinks where too much is.
 */
export function widened(from: number, now: number, scale: number): number {
	return from - Math.max(1, Math.round(Math.max(60_000, now - from) * scale));
}

/** Ends of executions that pass, the newest first. */
export function endsOf(rows: readonly Followed[]): FollowEnd[] {
	const ends: FollowEnd[] = [];
	for (let at = rows.length - 1; at >= 0; at -= 1) {
		const row = rows[at];
		if (row?.event === 'execution') ends.push(row.data);
	}
	return ends;
}

export interface LogFilter {
	script?: string | undefined;
	level?: LogLevel | undefined;
	outcome?: string | undefined;
	text?: string | undefined;
	since?: string | undefined;
}

const LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error'];

/** The filters that an address names; what it cannot mean is left out. */
export function filterOf(search: URLSearchParams): LogFilter {
	const level = search.get('level') ?? '';
	return {
		script: search.get('script') || undefined,
		level: LEVELS.includes(level) ? (level as LogLevel) : undefined,
		outcome: search.get('outcome') || undefined,
		text: search.get('text')?.slice(0, 256) || undefined,
		since: /^\d{1,6}[smhd]$/.test(search.get('since') ?? '') ? (search.get('since') ?? undefined) : undefined
	};
}

/** An address with another filter; empty takes it out. */
export function filtered(from: URL, name: keyof LogFilter, value: string): URL {
	const url = new URL(from);
	if (value === '') url.searchParams.delete(name);
	else url.searchParams.set(name, value);
	return url;
}
