/**
 * Indentation and spacing of Rhai source. It moves blanks and never a token: the tokens of what it gives are those of
 * what it was given, and given that again it gives the same. Texts and comments of several lines stay as they are.
 */
import { endsValue, tokens, type Token } from './tokens';

const STEP = '    ';
/** Between two values these have a blank on both sides. */
const SPACED = new Set(
	'= == != <= >= < > && + - * / % ** << >> & ^ ?? += -= *= /= %= |= &= ^= <<= >>= **= =>'.split(' ')
);
/** A line that begins with one goes on with the one before. */
const CARRIED = new Set('. ?. && || + - * / % ** == != <= >= < > ?? & | ^ ='.split(' '));
const BLANK_LINES_MAX = 1;

/** An open bracket: how far its line is indented, and what is inside. */
interface Bracket {
	line: number;
	inside: number;
}

export function format(source: string): string {
	const lines = linesOf(tokens(source));
	const out: string[] = [];
	const open: Bracket[] = [];
	let blanks = 0;
	let before: Token | undefined;
	for (const line of lines) {
		const words = line.filter(({ kind }) => kind !== 'space');
		if (words.length === 0) {
			blanks += 1;
			continue;
		}
		if (out.length > 0) for (let blank = 0; blank < Math.min(blanks, BLANK_LINES_MAX); blank += 1) out.push('');
		blanks = 0;
		out.push(STEP.repeat(indentOf(words, open, before)) + spaced(line, before));
		before = words.findLast(({ kind }) => kind !== 'comment') ?? before;
	}
	if (out.length === 0) return '';
	const text = out.join('\n');
	// Not into a text or comment that is still open.
	return tokens(`${text}\n`).at(-1)?.kind === 'newline' ? `${text}\n` : text;
}

/** Tokens by the line that they begin in; one that has several lines carries them. */
function linesOf(all: Token[]): Token[][] {
	const lines: Token[][] = [[]];
	for (const token of all) {
		if (token.kind === 'newline') lines.push([]);
		else lines.at(-1)?.push(token);
	}
	return lines;
}

/** How far a line is indented, and what it leaves open for those after it. */
function indentOf(words: Token[], open: Bracket[], before: Token | undefined): number {
	const first = words[0];
	let closed: Bracket | undefined;
	let closing = 0;
	while (words[closing]?.kind === 'close') {
		closed = open.pop() ?? closed;
		closing += 1;
	}
	const around = open.at(-1)?.inside ?? 0;
	// A bracket that closes stands under the line that opened it.
	const own = closed !== undefined ? closed.line : around + (goesOn(first, before) ? 1 : 0);
	for (const token of words.slice(closing)) {
		// Brackets that open in one line indent once.
		if (token.kind === 'open') open.push({ line: own, inside: own + 1 });
		else if (token.kind === 'close') open.pop();
	}
	return own;
}

/** Whether a line goes on with the expression of the one before. */
function goesOn(first: Token | undefined, before: Token | undefined): boolean {
	if (first === undefined || before === undefined || first.kind === 'comment') return false;
	if (before.kind === 'operator' && SPACED.has(before.text)) return before.text !== '=>';
	if (first.kind !== 'operator' || !CARRIED.has(first.text)) return false;
	return before.kind !== 'open' && ![';', ','].includes(before.text);
}

function spaced(line: Token[], above: Token | undefined): string {
	let text = '';
	let before: Token | undefined;
	let last: Token | undefined;
	line.forEach((token, index) => {
		if (token.kind === 'space') return;
		if (last !== undefined && blank(before ?? above, last, token, line[index - 1]?.kind === 'space')) text += ' ';
		text += token.text;
		before = last;
		last = token;
	});
	return text;
}

const TIGHT = new Set(['.', '?.', '::']);
/** Keywords that no name follows: a parenthesis behind them is no call. */
const APART = new Set('if while until for in switch return throw catch else'.split(' '));

/** Whether a blank stands between two tokens. Where nothing speaks for or against one, what was there stays. */
function blank(before: Token | undefined, left: Token, right: Token, given: boolean): boolean {
	const wanted = wants(before, left, right, given);
	// Signs that stand apart may be another sign together.
	if (given && !wanted && glued(left, right)) return true;
	return wanted;
}

function glued(left: Token, right: Token): boolean {
	const signs = (token: Token) => token.kind === 'operator' || token.kind === 'open' || token.kind === 'other';
	if (signs(left) && signs(right) && !'([{'.includes(left.text)) return true;
	const joined = tokens(left.text + right.text);
	return joined.length !== 2 || joined[0]?.text !== left.text || /^[(]\*|^\*[)]/.test(left.text + right.text);
}

function wants(before: Token | undefined, left: Token, right: Token, given: boolean): boolean {
	if (right.kind === 'comment' || left.kind === 'comment') return true;
	if (right.text === ',' || right.text === ';') return false;
	if (left.text === ',' || left.text === ';' || left.text === ':') return true;
	if (left.text === '(' || left.text === '[' || right.text === ')' || right.text === ']') return false;
	if (left.text === '#{' || left.text === '{') return right.text !== '}';
	if (right.text === '}') return true;
	if (TIGHT.has(right.text) || TIGHT.has(left.text)) return left.kind === 'number' && given;
	if (right.text === ':') return false;
	if (left.kind === 'operator' && SPACED.has(left.text)) return isSign(before, left) ? false : endsValue(before) || given;
	if (right.kind === 'operator' && SPACED.has(right.text)) return endsValue(left) || given;
	if (right.text === '{') return left.kind === 'word' || [')', '|', '||'].includes(left.text) || given;
	if (right.text === '(' && left.kind === 'word' && APART.has(left.text)) return true;
	if (left.text === '}' && right.kind === 'word') return true;
	return given;
}

/** A minus or plus of one value: `-1`, `return -x`. Behind `}` it may be either, and stays as it is. */
function isSign(before: Token | undefined, { text }: Token): boolean {
	return (text === '-' || text === '+') && !endsValue(before) && before?.text !== '}';
}
