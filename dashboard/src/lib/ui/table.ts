import type { Snippet } from 'svelte';

export interface Column<T> {
	/** Unique in the table; `cell` is told it. */
	key: string;
	title: string;
	/** Figures stand to the right. */
	align?: 'left' | 'right';
	/** `main` heads the card on a phone; `aside` is left out there. */
	role?: 'main' | 'aside';
	/** Text of the cell, where no snippet draws it. */
	text?: (item: T) => string;
	/** As wide as its content: times, figures, states. */
	narrow?: boolean;
	/** Only for screen readers: actions, say. */
	bare?: boolean;
}

export type Cell<T> = Snippet<[item: T, key: string]>;
