import type { Limit, ScriptLimits } from '$lib/api';
import { bytes, count, exact, millis } from '$lib/format';

export type LimitName = keyof ScriptLimits;

/** What each is for, and what more of it costs. */
export const LIMITS: readonly { name: LimitName; title: string; unit?: string; costs: string }[] = [
	{ name: 'fuel', title: 'Fuel', costs: 'About one for each WebAssembly instruction; a host call costs 20 000 and 10 for each byte. It counts against the fuel of the app.' },
	{ name: 'memory_mb', title: 'Memory', unit: 'MiB', costs: 'The whole instance. More of it means that fewer calls fit on the node at once.' },
	{ name: 'timeout_ms', title: 'Time', unit: 'ms', costs: 'By the clock, host calls included. A call holds its place for so long.' },
	{ name: 'host_calls', title: 'Host calls', costs: 'Calls that reach the database, the network, the disk or another script.' },
	{ name: 'outbound_requests', title: 'Outbound requests', costs: 'Requests that leave the node, redirects and mail counted.' },
	{ name: 'request_body_bytes', title: 'Request body', unit: 'bytes', costs: 'A longer one is 413, and the script does not run. It lies in the memory of the instance.' },
	{ name: 'response_body_bytes', title: 'Answer', unit: 'bytes', costs: 'A longer one is an error. It lies in the memory of the instance.' },
	{ name: 'log_line_bytes', title: 'Log line', unit: 'bytes', costs: 'Message and data; the rest of a line is cut.' },
	{ name: 'log_bytes', title: 'Log of a call', unit: 'bytes', costs: 'Further lines are dropped and counted. It counts against the app\u2019s log of a day.' },
	{ name: 'event_depth', title: 'Depth of events', costs: 'Hops of a chain of events that still reach the script.' }
];

/** A limit as people read it: "500 M", "32 MiB", "10 s". */
export function limitText(name: LimitName, value: number): string {
	if (name === 'memory_mb') return bytes(value * 1024 * 1024);
	if (name === 'timeout_ms') return millis(value);
	if (name.endsWith('_bytes')) return bytes(value);
	return value >= 1_000_000 ? count(value) : exact(value);
}

/** "500 M unless asked; 1 M to 50 G, and the app's quota allows 10 G." */
export function boundText(name: LimitName, limit: Limit | undefined, quota: number | undefined): string {
	if (limit === undefined) return '';
	const text = (value: number) => limitText(name, value);
	const range = `${text(limit.default)} unless asked; ${text(limit.floor ?? 0)} to ${text(limit.ceiling)}`;
	return quota !== undefined && quota < limit.ceiling ? `${range}, of which the app\u2019s quota allows ${text(quota)}.` : `${range}.`;
}

/** The most that can be asked for here. */
export function mostOf(limit: Limit | undefined, quota: number | undefined): number | undefined {
	return limit === undefined ? quota : Math.min(limit.ceiling, quota ?? limit.ceiling);
}

/** Limits that differ between two states. */
export function changedLimits(before: ScriptLimits, after: ScriptLimits): { name: LimitName; title: string; before: string; after: string }[] {
	return LIMITS.filter(({ name }) => before[name] !== after[name]).map(({ name, title }) => ({
		name,
		title,
		before: limitText(name, before[name]),
		after: limitText(name, after[name])
	}));
}
