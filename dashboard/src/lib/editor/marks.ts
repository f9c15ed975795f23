/** Places in a source as people and the API name them: lines and columns from 1. Pure. */

export interface Mark {
	line: number;
	/** Absent: the whole line. */
	column?: number | null | undefined;
	message: string;
	severity: 'error' | 'warning';
	/** Who says so, where it is not the check of the source: "last test call". */
	origin?: string;
}

/** From where to where a mark goes: the word or sign at its column, or its line. Columns count characters, not UTF-16 units. */
export function placeOf(source: string, { line, column }: { line: number; column?: number | null | undefined }): { from: number; to: number } | null {
	const lines = source.split('\n');
	if (line < 1) return null;
	const index = Math.min(line, lines.length) - 1;
	const start = lines.slice(0, index).reduce((sum, { length }) => sum + length + 1, 0);
	const text = lines[index] ?? '';
	const indent = /^\s*/.exec(text)?.[0].length ?? 0;
	if (column === null || column === undefined || line > lines.length) {
		return { from: start + (indent < text.length ? indent : 0), to: start + text.length };
	}
	const at = [...text].slice(0, Math.max(0, column - 1)).join('').length;
	const word = /^(?:\w+|[^\w\s]|\s+)/u.exec(text.slice(at))?.[0] ?? '';
	if (word === '') return { from: start + Math.max(0, text.length - 1), to: start + text.length };
	return { from: start + at, to: start + at + word.length };
}

interface Found {
	message: string;
	line?: number | null;
	column?: number | null;
}

/** What `check` found as marks; what has no place stands at the first line. */
export function marksOf(diagnostics: readonly Found[]): Mark[] {
	return diagnostics.map(({ message, line, column }) => ({ line: line ?? 1, column, message, severity: 'error' }));
}
