/** The names that a source itself brings: functions, variables, what it imports. Read from its tokens, never run. */
import { tokens, type Token } from './tokens';

export interface LocalFunction {
	name: string;
	parameters: string[];
	at: number;
	/** `private` functions are not seen from outside. */
	hidden: boolean;
	/** The comments right above it, without their signs. */
	text: string;
}

export interface Names {
	functions: LocalFunction[];
	variables: { name: string; at: number; constant: boolean }[];
	/** What each variable holds, where it is a collection: of `let users = kv::collection("users")` the module `kv`. */
	handles: Map<string, string>;
	/** `import "tax" as t`: what `t` stands for. */
	imports: Map<string, string>;
	/** Names of what `catch` gave. */
	caught: Set<string>;
}

export function namesIn(source: string): Names {
	const all = tokens(source);
	const words = all.filter(({ kind }) => !['space', 'newline', 'comment'].includes(kind));
	const names: Names = { functions: [], variables: [], handles: new Map(), imports: new Map(), caught: new Set() };
	const known = new Set<string>();
	const variable = (token: Token | undefined, constant = false) => {
		if (token?.kind !== 'word' || known.has(token.text)) return;
		known.add(token.text);
		names.variables.push({ name: token.text, at: token.at, constant });
	};
	words.forEach((token, at) => {
		const next = words[at + 1];
		if (token.kind === 'operator' && token.text === '|' && !isValueBefore(words[at - 1])) {
			for (const one of upTo(words, at + 1, '|')) variable(one);
		}
		if (token.kind !== 'word' || words[at - 1]?.text === '.') return;
		if (token.text === 'let' || token.text === 'const') {
			variable(next, token.text === 'const');
			const [equals, module, colons, collection] = words.slice(at + 2, at + 6);
			const made = equals?.text === '=' && colons?.text === '::' && collection?.text === 'collection';
			if (made && next !== undefined && module !== undefined) names.handles.set(next.text, module.text);
		} else if (token.text === 'for') {
			for (const one of upTo(words, at + 1, 'in')) variable(one);
		} else if (token.text === 'catch' && next?.text === '(') {
			const error = words[at + 2];
			if (error?.kind === 'word') names.caught.add(error.text);
			variable(error);
		} else if (token.text === 'import' && next?.kind === 'string') {
			const alias = words[at + 2]?.text === 'as' ? words[at + 3] : undefined;
			if (alias?.kind === 'word') names.imports.set(alias.text, next.text.replace(/^["`]|["`]$/g, ''));
		} else if (token.text === 'fn' && next?.kind === 'word') {
			const parameters = words[at + 2]?.text === '(' ? upTo(words, at + 3, ')') : [];
			for (const one of parameters) variable(one);
			names.functions.push({
				name: next.text,
				parameters: parameters.filter(({ kind }) => kind === 'word').map(({ text }) => text),
				at: next.at,
				hidden: words[at - 1]?.text === 'private',
				text: commentAbove(all, words[at - 1]?.text === 'private' ? words[at - 1] : token)
			});
		}
	});
	return names;
}

function isValueBefore(token: Token | undefined): boolean {
	return token !== undefined && (['word', 'number', 'string', 'char'].includes(token.kind) || token.text === ')' || token.text === ']');
}

/** The tokens up to one, a few dozen at most: lists of parameters are short. */
function upTo(words: Token[], from: number, end: string): Token[] {
	const list: Token[] = [];
	for (const token of words.slice(from, from + 40)) {
		if (token.text === end) return list;
		if (!['word', 'operator', 'open', 'close'].includes(token.kind) || token.text === ';' || token.text === '{') break;
		list.push(token);
	}
	return [];
}

function commentAbove(all: Token[], token: Token | undefined): string {
	let at = token === undefined ? -1 : all.indexOf(token) - 1;
	const lines: string[] = [];
	let breaks = 0;
	for (; at >= 0; at -= 1) {
		const { kind, text } = all[at] as Token;
		if (kind === 'newline') breaks += 1;
		else if (kind === 'comment' && breaks <= 1) {
			lines.unshift(text.replace(/^\/\/+!? ?|^\/\*+\s*|\s*\*\/$/g, '').trim());
			breaks = 0;
		} else if (kind !== 'space') break;
		if (breaks > 1) break;
	}
	return lines.join(' ');
}
