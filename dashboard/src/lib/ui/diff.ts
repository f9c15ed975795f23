/** Differences of texts, line by line. Pure. */

export interface DiffLine {
	kind: 'same' | 'added' | 'removed' | 'hunk';
	text: string;
	/** Line numbers, from 1; null where the line is not. */
	before: number | null;
	after: number | null;
}

/** Reads a difference in the unified form, as the API and diff tools write it. */
export function parseUnified(text: string): DiffLine[] {
	const lines: DiffLine[] = [];
	let before = 1;
	let after = 1;
	for (const line of text.replace(/\n$/, '').split('\n')) {
		const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line);
		if (hunk) {
			before = Number(hunk[1]);
			after = Number(hunk[2]);
			lines.push({ kind: 'hunk', text: line, before: null, after: null });
		} else if (lines.length === 0 && /^(---|\+\+\+) /.test(line)) {
			continue; // The head names the two files.
		} else if (line.startsWith('+')) {
			lines.push({ kind: 'added', text: line.slice(1), before: null, after: after++ });
		} else if (line.startsWith('-')) {
			lines.push({ kind: 'removed', text: line.slice(1), before: before++, after: null });
		} else if (!line.startsWith('\\') && (line !== '' || lines.length > 0)) {
			lines.push({ kind: 'same', text: line.slice(1), before: before++, after: after++ });
		}
	}
	return lines;
}

/** Past so many compared pairs, what lies between equal ends is shown as replaced. */
const PAIRS_MAX = 4_000_000;

/** Two texts held against each other; every line of both is in it. */
export function difference(before: string, after: string): DiffLine[] {
	const one = before === '' ? [] : before.replace(/\n$/, '').split('\n');
	const two = after === '' ? [] : after.replace(/\n$/, '').split('\n');
	let head = 0;
	while (head < one.length && head < two.length && one[head] === two[head]) head += 1;
	let tail = 0;
	while (tail < one.length - head && tail < two.length - head && one.at(-1 - tail) === two.at(-1 - tail)) tail += 1;

	const lines: DiffLine[] = [];
	let a = 0;
	let b = 0;
	const same = () => lines.push({ kind: 'same', text: one[a] ?? '', before: ++a, after: ++b });
	const removed = () => lines.push({ kind: 'removed', text: one[a] ?? '', before: ++a, after: null });
	const added = () => lines.push({ kind: 'added', text: two[b] ?? '', before: null, after: ++b });

	while (a < head) same();
	for (const step of steps(one.slice(head, one.length - tail), two.slice(head, two.length - tail))) {
		if (step === 'same') same();
		else if (step === 'removed') removed();
		else added();
	}
	while (a < one.length) same();
	return lines;
}

/** The longest common subsequence, as the steps that lead from one to the other. */
function steps(one: string[], two: string[]): ('same' | 'added' | 'removed')[] {
	const width = two.length + 1;
	if (one.length * two.length > PAIRS_MAX) {
		return [...one.map(() => 'removed' as const), ...two.map(() => 'added' as const)];
	}
	const longest = new Uint32Array((one.length + 1) * width);
	const at = (a: number, b: number) => longest[a * width + b] ?? 0;
	for (let a = one.length - 1; a >= 0; a -= 1) {
		for (let b = two.length - 1; b >= 0; b -= 1) {
			longest[a * width + b] = one[a] === two[b] ? at(a + 1, b + 1) + 1 : Math.max(at(a + 1, b), at(a, b + 1));
		}
	}
	const found: ('same' | 'added' | 'removed')[] = [];
	let a = 0;
	let b = 0;
	while (a < one.length || b < two.length) {
		if (a < one.length && b < two.length && one[a] === two[b]) {
			found.push('same');
			a += 1;
			b += 1;
		} else if (b === two.length || (a < one.length && at(a + 1, b) >= at(a, b + 1))) {
			found.push('removed');
			a += 1;
		} else {
			found.push('added');
			b += 1;
		}
	}
	return found;
}

/** Only what changed, with so many lines around; what is left out becomes a hunk. */
export function folded(lines: DiffLine[], around = 3): DiffLine[] {
	const keep = new Set<number>();
	lines.forEach((line, index) => {
		if (line.kind === 'same') return;
		for (let near = index - around; near <= index + around; near += 1) keep.add(near);
	});
	const kept: DiffLine[] = [];
	let skipped = 0;
	const fold = () => {
		if (skipped > 0) {
			const words = `${skipped} equal ${skipped === 1 ? 'line' : 'lines'}`;
			kept.push({ kind: 'hunk', text: words, before: null, after: null });
		}
		skipped = 0;
	};
	lines.forEach((line, index) => {
		if (!keep.has(index)) {
			skipped += 1;
			return;
		}
		fold();
		kept.push(line);
	});
	fold();
	return kept;
}
