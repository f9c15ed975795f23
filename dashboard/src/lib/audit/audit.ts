/** The audit log as people read it. Pure. */
import type { AuditEntry } from '$lib/api';

export interface AuditFilter {
	/** The noun of the action: `script`, `member`, … */
	noun: string;
	who: string;
	text: string;
}

export const noun = ({ action }: Pick<AuditEntry, 'action'>): string => action.split('.')[0] ?? action;

export const verb = ({ action }: Pick<AuditEntry, 'action'>): string => action.slice(action.indexOf('.') + 1);

/** Who did it: a name at the time, or the operator's commands on the machine. */
export function who({ username, credential }: Pick<AuditEntry, 'username' | 'credential'>): string {
	return username ?? (credential === 'operator' ? 'operator' : 'a person who is gone');
}

export function fits(entry: AuditEntry, filter: AuditFilter): boolean {
	if (filter.noun !== '' && noun(entry) !== filter.noun) return false;
	if (filter.who !== '' && who(entry) !== filter.who) return false;
	if (filter.text === '') return true;
	const text = filter.text.toLowerCase();
	return [entry.action, entry.target, entry.address, entry.request_id, JSON.stringify(entry.before), JSON.stringify(entry.after)].some(
		(part) => (part ?? '').toLowerCase().includes(text)
	);
}

/** The words that occur, each once, in alphabetical order. */
export function choices<T>(entries: readonly T[], of: (entry: T) => string): string[] {
	return [...new Set(entries.map(of))].sort();
}

export type Tone = 'good' | 'bad' | 'info' | 'plain';

/** What kind of change it was: something new, something gone, or another state. */
export function toneOf(entry: Pick<AuditEntry, 'action'>): Tone {
	const word = verb(entry);
	if (/^(create|import|set|send|publish|verify|claim|add)$/.test(word)) return 'good';
	if (/^(delete|purge|takeover|remove|resolve)$/.test(word)) return 'bad';
	return 'info';
}

/** A state as text with its fields in a fixed order, so that two of them differ only where they differ. */
export function stateText(state: unknown): string {
	return state === null || state === undefined ? '' : JSON.stringify(sorted(state), null, 2);
}

function sorted(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(sorted);
	if (typeof value !== 'object' || value === null) return value;
	return Object.fromEntries(
		Object.entries(value)
			.sort(([one], [other]) => (one < other ? -1 : 1))
			.map(([name, inner]) => [name, sorted(inner)])
	);
}

/** The fields that changed, in words: "slug, name". Empty where something is new or gone. */
export function changed({ before, after }: Pick<AuditEntry, 'before' | 'after'>): string[] {
	if (!isMap(before) || !isMap(after)) return [];
	const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
	return names.filter((name) => stateText(before[name]) !== stateText(after[name])).sort();
}

function isMap(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
