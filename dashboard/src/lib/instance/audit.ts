import type { AuditEntry } from '$lib/api';

export interface AuditFilter {
	/** In what was done, to what, by whom, from where. */
	text: string;
	/** `app`, `script`: the noun of the action. */
	noun: string;
	app: string;
}

/** Of the entries that were read: the API gives pages without a filter. */
export function filtered(entries: readonly AuditEntry[], { text, noun, app }: AuditFilter): AuditEntry[] {
	const asked = text.toLowerCase().split(/\s+/).filter(Boolean);
	return entries.filter((entry) => {
		const words = [entry.action, entry.target, called(entry), who(entry), entry.address, entry.request_id, String(entry.seq)].join(' ').toLowerCase();
		return (
			(noun === '' || entry.action.startsWith(`${noun}.`)) &&
			(app === '' || entry.app_id === app) &&
			asked.every((word) => words.includes(word))
		);
	});
}

/** The nouns that there are, in order. */
export function nouns(entries: readonly AuditEntry[]): string[] {
	return [...new Set(entries.map(({ action }) => action.split('.')[0] ?? action))].sort();
}

export function who({ username, credential }: Pick<AuditEntry, 'username' | 'credential'>): string {
	return username ?? (credential === 'operator' ? 'operator' : 'somebody who is gone');
}

/** What a person calls the target: its name where the entry tells it, else what it is known by. */
export function called({ target, before, after }: Pick<AuditEntry, 'target' | 'before' | 'after'>): string {
	for (const state of [after, before]) {
		if (typeof state !== 'object' || state === null) continue;
		const fields = state as Record<string, unknown>;
		for (const field of ['name', 'username', 'slug', 'host', 'path', 'key']) {
			const value = fields[field];
			if (typeof value === 'string' && value !== '') return value;
		}
	}
	return target;
}

/** As lines of text, so that two of them can be held against each other; keys in order, nothing for what is not there. */
export function lines(value: unknown): string {
	return value === null || value === undefined ? '' : `${JSON.stringify(sorted(value), null, 2)}\n`;
}

function sorted(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(sorted);
	if (typeof value !== 'object' || value === null) return value;
	const entries = Object.entries(value as Record<string, unknown>).sort(([one], [other]) => (one < other ? -1 : 1));
	return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
