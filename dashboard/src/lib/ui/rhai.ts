/**
 * Colours for Rhai source: a scanner, not a parser. It never fails; what it does not know is plain text, and the
 * tokens of each line joined are that line.
 */

export type Kind = 'plain' | 'comment' | 'string' | 'number' | 'keyword' | 'call' | 'name';

export interface Token {
	kind: Kind;
	text: string;
}

const KEYWORDS = new Set(
	(
		'let const if else switch do while until loop for in continue break return throw try catch fn private ' +
		'import export as global true false this is new Fn call curry'
	).split(' ')
);

/** A rule's pattern is tried at the scanner's place only (sticky flag). Order matters. */
const RULES: readonly (readonly [RegExp, Kind])[] = [
	[/\/\/[^\n]*/y, 'comment'],
	[/"(?:\\[\s\S]|[^"\\\n])*(?:"|(?=\n)|$)/y, 'string'],
	[/'(?:\\[^\n]{1,10}?|[^'\\\n])'/y, 'string'],
	[/0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?/y, 'number'],
	[/[A-Za-z_]\w*(?=\s*!?\()/y, 'call'],
	[/[A-Za-z_]\w*(?=\s*::)/y, 'name'],
	[/[A-Za-z_]\w*/y, 'plain'],
	[/[^\S\n]+|[^\w\s"'`/#]+|[\s\S]/y, 'plain']
];

/** Source as lines of tokens. CRLF counts as one line end. */
export function highlight(source: string): Token[][] {
	const lines: Token[][] = [[]];
	const push = (kind: Kind, text: string) => {
		text.split('\n').forEach((part, index) => {
			if (index > 0) lines.push([]);
			const line = lines[lines.length - 1];
			if (part === '' || line === undefined) return;
			const last = line[line.length - 1];
			if (last !== undefined && last.kind === kind) last.text += part;
			else line.push({ kind, text: part });
		});
	};
	const text = source.replaceAll('\r\n', '\n');
	let at = 0;
	while (at < text.length) {
		const end = block(text, at) ?? raw(text, at) ?? template(text, at);
		if (end !== null) {
			push(text[at] === '/' ? 'comment' : 'string', text.slice(at, end));
			at = end;
			continue;
		}
		for (const [pattern, kind] of RULES) {
			pattern.lastIndex = at;
			const found = pattern.exec(text)?.[0];
			if (found === undefined) continue;
			push(kind !== 'number' && KEYWORDS.has(found) ? 'keyword' : kind, found);
			at += found.length;
			break;
		}
	}
	return lines;
}

/** End of a block comment at `at`; they nest. */
function block(text: string, at: number): number | null {
	if (!text.startsWith('/*', at)) return null;
	let depth = 0;
	const marks = /\/\*|\*\//g;
	marks.lastIndex = at;
	for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
		depth += mark[0] === '/*' ? 1 : -1;
		if (depth === 0) return marks.lastIndex;
	}
	return text.length;
}

/** End of a raw string `#"…"#`, with any number of hashes. */
function raw(text: string, at: number): number | null {
	const opening = /#+"/y;
	opening.lastIndex = at;
	const hashes = opening.exec(text)?.[0].slice(0, -1);
	if (hashes === undefined) return null;
	const end = text.indexOf(`"${hashes}`, at + hashes.length + 1);
	return end < 0 ? text.length : end + hashes.length + 1;
}

/** End of a back-tick string; `${…}` inside may hold braces and back-tick strings of its own. */
function template(text: string, at: number): number | null {
	if (text[at] !== '`') return null;
	// One entry per open construct: a string, or the braces open within an interpolation.
	const open: ('`' | '{')[] = ['`'];
	let index = at + 1;
	while (index < text.length && open.length > 0) {
		const top = open[open.length - 1];
		const here = text[index];
		if (top === '`' && text.startsWith('${', index)) {
			open.push('{');
			index += 1;
		} else if (here === '`') {
			if (top === '`') open.pop();
			else open.push('`');
		} else if (top === '{' && here === '{') open.push('{');
		else if (top === '{' && here === '}') open.pop();
		index += 1;
	}
	return index;
}
