/** What was written and not yet published, kept by script while the tab is open: a reload does not lose it. */

export interface Draft {
	source: string;
	/** The version that it began with. */
	version: number;
}

const key = (script: string) => `picloud.draft.${script}`;

export function draftOf(script: string, storage: Pick<Storage, 'getItem'> = sessionStorage): Draft | null {
	try {
		const kept: unknown = JSON.parse(storage.getItem(key(script)) ?? 'null');
		if (typeof kept !== 'object' || kept === null) return null;
		const { source, version } = kept as Partial<Draft>;
		return typeof source === 'string' && typeof version === 'number' ? { source, version } : null;
	} catch {
		return null;
	}
}

/** Null forgets it. A storage that is full or switched off keeps nothing: the text stays on the page. */
export function keepDraft(script: string, draft: Draft | null, storage: Pick<Storage, 'setItem' | 'removeItem'> = sessionStorage): void {
	try {
		if (draft === null) storage.removeItem(key(script));
		else storage.setItem(key(script), JSON.stringify(draft));
	} catch {
		// See above.
	}
}
