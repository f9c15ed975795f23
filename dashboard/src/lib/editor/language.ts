/** Rhai for CodeMirror: a tokenizer by hand, line by line, with what it needs to know of the lines before. */
import { bracketMatching, foldGutter, foldService, HighlightStyle, indentUnit, LanguageSupport, StreamLanguage, syntaxHighlighting, type StringStream } from '@codemirror/language';
import type { Text } from '@codemirror/state';
import { tags } from '@lezer/highlight';
import { isKeyword, tokens } from './tokens';

type Mode =
	| { kind: 'template' }
	/** Between `${` and its brace. */
	| { kind: 'inner'; depth: number }
	| { kind: 'comment'; depth: number }
	| { kind: 'raw'; hashes: string }
	/** A text in quotes that a backslash carries on. */
	| { kind: 'text' };

interface State {
	modes: Mode[];
	/** Indentation of the lines that opened the brackets that are open. */
	open: number[];
	/** Of this line. */
	indentation: number;
	/** `fn` came: a definition follows. */
	defines: boolean;
}

const ATOMS = new Set(['true', 'false', 'this', 'global', 'ctx']);
const BUILT_IN = new Set('print debug type_of is_def_var is_def_fn Fn call curry'.split(' '));
const NUMBER = /^(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(?:\.(?!\.)(?![A-Za-z_])[\d_]*)?(?:[eE][+-]?\d+)?)/;
const CHAR = /^'(?:\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|[^'\\])'/;

function within(mode: Mode, stream: StringStream, state: State): string | null {
	switch (mode.kind) {
		case 'comment':
			while (!stream.eol()) {
				if (stream.match('*/')) {
					mode.depth -= 1;
					if (mode.depth === 0) {
						state.modes.pop();
						return 'comment';
					}
				} else if (stream.match('/*')) mode.depth += 1;
				else stream.next();
			}
			return 'comment';
		case 'raw':
			if (stream.skipTo(`"${mode.hashes}`)) {
				stream.match(`"${mode.hashes}`);
				state.modes.pop();
			} else stream.skipToEnd();
			return 'string';
		case 'text':
			while (!stream.eol()) {
				const sign = stream.next();
				if (sign === '\\') {
					if (stream.eol()) return 'string';
					stream.next();
				} else if (sign === '"') break;
			}
			state.modes.pop();
			return 'string';
		case 'template':
			if (stream.match('${')) {
				state.modes.push({ kind: 'inner', depth: 0 });
				return 'brace';
			}
			while (!stream.eol()) {
				if (stream.match('${', false)) return 'string';
				if (stream.next() === '`' && !stream.eat('`')) {
					state.modes.pop();
					return 'string';
				}
			}
			return 'string';
		case 'inner':
			if (mode.depth === 0 && stream.eat('}')) {
				state.modes.pop();
				return 'brace';
			}
			return code(stream, state, mode);
	}
}

function code(stream: StringStream, state: State, inner: { depth: number } | null): string | null {
	if (stream.eatSpace()) return null;
	if (stream.match('//') || (stream.sol() && stream.match('#!'))) {
		stream.skipToEnd();
		return 'comment';
	}
	const enter = (mode: Mode) => {
		state.modes.push(mode);
		return within(mode, stream, state);
	};
	if (stream.match('/*')) return enter({ kind: 'comment', depth: 1 });
	const raw = stream.match(/^(#+)"/) as RegExpMatchArray | null;
	if (raw) return enter({ kind: 'raw', hashes: raw[1] ?? '#' });
	if (stream.eat('"')) return enter({ kind: 'text' });
	if (stream.eat('`')) return enter({ kind: 'template' });
	if (stream.match(CHAR)) return 'char';
	if (stream.match(NUMBER)) return 'number';
	const word = stream.match(/^[A-Za-z_]\w*/) as RegExpMatchArray | null;
	if (word) return wordKind(word[0], stream, state);
	if (stream.match('#{') || stream.match('?[') || stream.match(/^[([{]/)) {
		state.open.push(state.indentation);
		if (inner && stream.current().endsWith('{')) inner.depth += 1;
		return 'bracket';
	}
	if (stream.match(/^[)\]}]/)) {
		state.open.pop();
		if (inner && stream.current() === '}') inner.depth -= 1;
		return 'bracket';
	}
	if (stream.match('::') || stream.match(/^[.,;]/)) return 'punctuation';
	if (stream.match(/^[-+*/%=<>!&|^?:~]+/)) return 'operator';
	stream.next();
	return null;
}

function wordKind(word: string, stream: StringStream, state: State): string {
	const defines = state.defines;
	state.defines = word === 'fn';
	if (defines) return 'definition';
	const behindPoint = /(^|[^.])\.$/.test(stream.string.slice(0, stream.start).trimEnd());
	if (behindPoint) return stream.match(/^\s*\(/, false) ? 'call' : 'property';
	if (ATOMS.has(word)) return 'atom';
	if (isKeyword(word)) return 'keyword';
	if (stream.match(/^\s*::/, false)) return 'namespace';
	if (stream.match(/^\s*!?\(/, false)) return BUILT_IN.has(word) ? 'builtin' : 'call';
	if (/[{,]\s*$/.test(stream.string.slice(0, stream.start)) && stream.match(/^\s*:(?!:)/, false)) return 'property';
	return 'variable';
}

const language = StreamLanguage.define<State>({
	name: 'rhai',
	startState: () => ({ modes: [], open: [], indentation: 0, defines: false }),
	copyState: (state) => ({ ...state, modes: state.modes.map((mode) => ({ ...mode })), open: [...state.open] }),
	token(stream, state) {
		if (stream.sol()) state.indentation = stream.indentation();
		const mode = state.modes.at(-1);
		return mode === undefined ? code(stream, state, null) : within(mode, stream, state);
	},
	indent(state, after, { unit }) {
		const mode = state.modes.at(-1);
		// Inside a text blanks are part of it.
		if (mode !== undefined && mode.kind !== 'comment') return null;
		const line = state.open.at(-1);
		if (line === undefined) return 0;
		return /^\s*[)\]}]/.test(after) ? line : line + unit;
	},
	tokenTable: {
		comment: tags.comment,
		string: tags.string,
		char: tags.character,
		number: tags.number,
		keyword: tags.keyword,
		atom: tags.atom,
		namespace: tags.namespace,
		call: tags.function(tags.variableName),
		builtin: tags.standard(tags.function(tags.variableName)),
		definition: tags.definition(tags.function(tags.variableName)),
		property: tags.propertyName,
		variable: tags.variableName,
		brace: tags.special(tags.brace),
		bracket: tags.bracket,
		operator: tags.operator,
		punctuation: tags.punctuation
	},
	languageData: {
		commentTokens: { line: '//', block: { open: '/*', close: '*/' } },
		closeBrackets: { brackets: ['(', '[', '{', '"', '`'] },
		indentOnInput: /^\s*[)\]}]$/
	}
});

const colours = HighlightStyle.define([
	{ tag: tags.comment, color: 'var(--code-comment)', fontStyle: 'italic' },
	{ tag: [tags.string, tags.character], color: 'var(--code-string)' },
	{ tag: [tags.number, tags.atom], color: 'var(--code-number)' },
	{ tag: [tags.keyword, tags.special(tags.brace)], color: 'var(--code-keyword)' },
	{ tag: tags.namespace, color: 'var(--code-name)' },
	{ tag: tags.function(tags.variableName), color: 'var(--code-call)' },
	{ tag: tags.definition(tags.function(tags.variableName)), color: 'var(--code-call)', fontWeight: '600' }
]);

/** Pairs of brackets over lines: from behind the one to before the other. Kept for the text that was asked of last. */
let folds: { doc: Text; byLine: Map<number, { from: number; to: number }> } | null = null;

export function foldsOf(doc: Text): Map<number, { from: number; to: number }> {
	if (folds?.doc === doc) return folds.byLine;
	const byLine = new Map<number, { from: number; to: number }>();
	const open: number[] = [];
	for (const token of tokens(doc.toString())) {
		if (token.kind === 'open') open.push(token.at + token.text.length);
		else if (token.kind === 'close') {
			const from = open.pop();
			if (from === undefined) continue;
			const line = doc.lineAt(from);
			if (token.at > line.to) byLine.set(line.number, { from, to: token.at });
		}
	}
	folds = { doc, byLine };
	return byLine;
}

export function rhai(): LanguageSupport {
	return new LanguageSupport(language, [
		syntaxHighlighting(colours),
		indentUnit.of('    '),
		bracketMatching(),
		foldGutter({ openText: '\u25be', closedText: '\u25b8' }),
		foldService.of((state, start) => foldsOf(state.doc).get(state.doc.lineAt(start).number) ?? null)
	]);
}
