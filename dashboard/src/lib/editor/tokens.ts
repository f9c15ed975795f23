/**
 * Rhai source as tokens. Nothing is left out and nothing fails: the tokens joined are the source, whatever it is. What
 * looks at a source without running it (formatting, names to complete) is made of this.
 */

export type TokenKind = 'space' | 'newline' | 'comment' | 'string' | 'char' | 'number' | 'word' | 'operator' | 'open' | 'close' | 'other';

export interface Token {
	kind: TokenKind;
	text: string;
	/** Where it begins. */
	at: number;
}

/** Longest first: `..=` is no `..` and `=`. */
const OPERATORS = [
	'<<=', '>>=', '**=', '..=', '...',
	'::', '=>', '==', '!=', '<=', '>=', '&&', '||', '??', '?.', '?[', '+=', '-=', '*=', '/=', '%=', '|=', '&=', '^=', '<<', '>>', '**', '..', '->',
	'+', '-', '*', '/', '%', '=', '<', '>', '!', '&', '|', '^', '.', ',', ';', ':', '?', '~', '@', '$'
];

const KEYWORDS = new Set(
	(
		'let const if else switch do while until loop for in continue break return throw try catch fn private import ' +
		'export as global true false this'
	).split(' ')
);

/** Keywords after which a value may begin: a minus there is a sign. */
const NO_VALUE = new Set('if else while until in return throw switch do loop try'.split(' '));

export function isKeyword(word: string): boolean {
	return KEYWORDS.has(word);
}

/** Whether a value may end with this token: what follows is then no sign but an operator between two. */
export function endsValue(token: Token | undefined): boolean {
	if (token === undefined) return false;
	if (token.kind === 'word') return !NO_VALUE.has(token.text);
	return ['number', 'string', 'char'].includes(token.kind) || token.text === ')' || token.text === ']';
}

const SPACE = /[^\S\n]+/y;
const WORD = /[A-Za-z_]\w*/y;
const NUMBER = /0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(?:\.(?!\.)(?![A-Za-z_])[\d_]*)?(?:[eE][+-]?\d+)?/y;
const CHAR = /'(?:\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[^\n])|[^'\\\n])'/y;

function match(pattern: RegExp, text: string, at: number): string | undefined {
	pattern.lastIndex = at;
	return pattern.exec(text)?.[0];
}

export function tokens(source: string): Token[] {
	const list: Token[] = [];
	let at = 0;
	while (at < source.length) {
		const [kind, end] = next(source, at);
		list.push({ kind, text: source.slice(at, end), at });
		at = end;
	}
	return list;
}

function next(source: string, at: number): [TokenKind, number] {
	const here = source[at] ?? '';
	if (here === '\n') return ['newline', at + 1];
	const space = match(SPACE, source, at);
	if (space !== undefined) return ['space', at + space.length];
	if (source.startsWith('//', at) || (at === 0 && source.startsWith('#!'))) return ['comment', endOfLine(source, at)];
	if (source.startsWith('/*', at)) return ['comment', endOfBlock(source, at)];
	if (here === '"') return ['string', endOfText(source, at)];
	if (here === '`') return ['string', endOfTemplate(source, at)];
	const hashes = match(/#+"/y, source, at)?.slice(0, -1);
	if (hashes !== undefined) {
		const end = source.indexOf(`"${hashes}`, at + hashes.length + 1);
		return ['string', end < 0 ? source.length : end + hashes.length + 1];
	}
	for (const [kind, pattern] of [['char', CHAR], ['number', NUMBER], ['word', WORD]] as const) {
		const found = match(pattern, source, at);
		if (found !== undefined) return [kind, at + found.length];
	}
	if (source.startsWith('#{', at)) return ['open', at + 2];
	if ('([{'.includes(here)) return ['open', at + 1];
	if (')]}'.includes(here)) return ['close', at + 1];
	const operator = OPERATORS.find((one) => source.startsWith(one, at));
	if (operator === '?[') return ['open', at + 2];
	if (operator !== undefined) return ['operator', at + operator.length];
	return ['other', at + 1];
}

function endOfLine(source: string, at: number): number {
	const end = source.indexOf('\n', at);
	return end < 0 ? source.length : end;
}

/** Comments nest. */
function endOfBlock(source: string, at: number): number {
	const marks = /\/\*|\*\//g;
	marks.lastIndex = at;
	let depth = 0;
	for (let mark = marks.exec(source); mark !== null; mark = marks.exec(source)) {
		depth += mark[0] === '/*' ? 1 : -1;
		if (depth === 0) return marks.lastIndex;
	}
	return source.length;
}

/** Text in double quotes ends with its line, unless a backslash carries it on. */
function endOfText(source: string, at: number): number {
	let index = at + 1;
	while (index < source.length) {
		const here = source[index];
		if (here === '\\') index += 2;
		else if (here === '"') return index + 1;
		else if (here === '\n') return index;
		else index += 1;
	}
	return source.length;
}

/** `${…}` inside is source again, with texts and braces of its own. */
function endOfTemplate(source: string, at: number): number {
	let index = at + 1;
	while (index < source.length) {
		if (source[index] === '`') {
			// Doubled, it stands for itself.
			if (source[index + 1] !== '`') return index + 1;
			index += 2;
		} else if (source.startsWith('${', index)) index = endOfInner(source, index + 2);
		else index += 1;
	}
	return source.length;
}

function endOfInner(source: string, at: number): number {
	let depth = 1;
	let index = at;
	while (index < source.length) {
		const [, end] = next(source, index);
		const text = source.slice(index, end);
		if (text === '{' || text === '#{') depth += 1;
		else if (text === '}') depth -= 1;
		index = end;
		if (depth === 0) return index;
	}
	return source.length;
}
