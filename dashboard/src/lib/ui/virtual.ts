/** Which rows of a long list of equal heights are to be drawn. Pure. */

export interface Window {
	first: number;
	/** One past the last. */
	end: number;
}

/** Rows that are seen, and `extra` more on both sides. */
export function visible(count: number, rowHeight: number, top: number, height: number, extra = 8): Window {
	const first = Math.max(0, Math.floor(top / rowHeight) - extra);
	const end = Math.min(count, Math.ceil((top + height) / rowHeight) + extra);
	return { first: Math.min(first, end), end };
}

/** Where to scroll so that a row is seen: unchanged when it is. */
export function reveal(index: number, rowHeight: number, top: number, height: number): number {
	const begin = index * rowHeight;
	if (begin < top) return begin;
	if (begin + rowHeight > top + height) return begin + rowHeight - height;
	return top;
}

/** The row that a key leads to, or null for a key that does not move. */
export function moved(key: string, at: number, count: number, page: number): number | null {
	const last = count - 1;
	switch (key) {
		case 'ArrowDown':
			return Math.min(last, at + 1);
		case 'ArrowUp':
			return Math.max(0, at - 1);
		case 'PageDown':
			return Math.min(last, at + page);
		case 'PageUp':
			return Math.max(0, at - page);
		case 'Home':
			return 0;
		case 'End':
			return last;
		default:
			return null;
	}
}
