/** Finding by a few letters: each in order, the better the closer together and the nearer to beginnings of words. Pure. */

export interface Match {
	score: number;
	/** Places of the letters in the text. */
	at: number[];
}

/** Null where the letters are not all there. Spaces part words that are looked for each by itself, in any order. */
export function match(query: string, text: string): Match | null {
	const words = query.toLowerCase().split(/\s+/).filter(Boolean);
	let score = 0;
	const at = new Set<number>();
	for (const word of words) {
		const found = matchWord(word, text);
		if (found === null) return null;
		score += found.score;
		for (const place of found.at) at.add(place);
	}
	// Of equal matches the shorter text is the closer one.
	return { score: score - text.length / 100, at: [...at].sort((one, other) => one - other) };
}

function matchWord(word: string, text: string): Match | null {
	const lower = text.toLowerCase();
	const whole = lower.indexOf(word);
	let best: Match | null = null;
	for (let from = lower.indexOf(word[0] ?? ''); from !== -1; from = lower.indexOf(word[0] ?? '', from + 1)) {
		const found = walk(word, text, lower, from);
		if (found !== null && (best === null || found.score > best.score)) best = found;
	}
	if (best !== null && whole !== -1) best.score += 4;
	return best;
}

function walk(word: string, text: string, lower: string, from: number): Match | null {
	const at = [from];
	let score = begins(text, from) ? 6 : 1;
	for (const letter of word.slice(1)) {
		const last = at.at(-1) ?? 0;
		const next = lower.indexOf(letter, last + 1);
		if (next === -1) return null;
		score += next === last + 1 ? 3 : begins(text, next) ? 4 : -Math.min(2, (next - last) / 8);
		at.push(next);
	}
	return { score: from === 0 ? score + 2 : score, at };
}

function begins(text: string, at: number): boolean {
	if (at === 0) return true;
	const before = text[at - 1] ?? '';
	return /[^\p{L}\p{N}]/u.test(before) || (/\p{Ll}/u.test(before) && /\p{Lu}/u.test(text[at] ?? ''));
}

/**
 * The best first; all of them, in their order, for an empty query. What is not found by its text is found by other words
 * that have the query in them as it is.
 */
export function ranked<T>(
	items: readonly T[],
	query: string,
	text: (item: T) => string,
	max: number,
	also: (item: T) => string | undefined = () => undefined
): { item: T; at: number[] }[] {
	if (query.trim() === '') return items.slice(0, max).map((item) => ({ item, at: [] }));
	const found: { item: T; at: number[]; score: number; order: number }[] = [];
	items.forEach((item, order) => {
		const other = also(item)?.toLowerCase().includes(query.trim().toLowerCase()) ? { score: -10, at: [] } : null;
		const hit = match(query, text(item)) ?? other;
		if (hit !== null) found.push({ item, at: hit.at, score: hit.score, order });
	});
	found.sort((one, other) => other.score - one.score || one.order - other.order);
	return found.slice(0, max);
}
