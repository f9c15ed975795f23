/**
 * What can be written at a place of a source, and what stands there: completion and hover without the editor around
 * them. What an app has (modules, their functions) is told by `Surroundings`.
 */
import { namesIn, type Names } from './names';
import { errors, fieldAt, fieldsBelow, functionNamed, methodsOf, moduleNamed, modules, type SdkFunction } from './sdk';
import { tokens, type Token } from './tokens';
import { GLOBAL, KEYWORDS, METHODS } from './words';

export interface Surroundings {
	/** Names of the app's modules. */
	modules: readonly string[];
	/** The source of one of them, where it is known. */
	source?: (module: string) => string | undefined;
}

export type OptionKind = 'function' | 'method' | 'module' | 'keyword' | 'variable' | 'constant' | 'property' | 'text';

export interface Option {
	label: string;
	kind: OptionKind;
	/** What it takes: "(key, value)". */
	detail?: string;
	doc?: Doc;
	/** What is written, where that is more than the label. */
	apply?: string;
	/** Above others: 3 for what the source itself has. */
	rank?: number;
}

export interface Doc {
	/** `kv.set(key, value)`; one line each. */
	titles: string[];
	/** Code stands between back ticks. */
	text: string;
	bounds: string[];
	example?: string;
}

export interface Completion {
	/** Where what is replaced begins. */
	from: number;
	options: Option[];
}

/** The token that a place is inside of. Inside `${…}` of a text it is source again, from where `offset` says. */
function around(source: string, at: number): { source: string; offset: number; inside: Token | undefined } {
	const inside = tokens(source).find((token) => token.at < at && at < token.at + token.text.length + (open(token) ? 1 : 0));
	if (inside?.kind === 'string' && inside.text.startsWith('`')) {
		const before = inside.text.slice(0, at - inside.at);
		const start = before.lastIndexOf('${');
		if (start >= 0 && !before.slice(start).includes('}')) {
			return { source, offset: inside.at + start + 2, inside: undefined };
		}
	}
	return { source, offset: 0, inside: inside?.kind === 'string' || inside?.kind === 'comment' ? inside : undefined };
}

/** Whether a token goes on at its end: a comment of a line, a text that was not closed. */
function open({ kind, text }: Token): boolean {
	return (kind === 'comment' && text.startsWith('//')) || (kind === 'string' && (text.length === 1 || !/["`#]$/.test(text)));
}

export function complete(source: string, at: number, there: Surroundings): Completion | null {
	const { offset, inside } = around(source, at);
	if (inside !== undefined) return inside.kind === 'string' ? completeText(source, at, inside, there) : null;
	const before = source.slice(Math.max(offset, at - 400), at);
	const names = namesIn(source);
	const typed = /\w*$/.exec(before)?.[0] ?? '';
	const from = at - typed.length;
	const lead = before.slice(0, before.length - typed.length);
	const space = /([A-Za-z_]\w*)\s*::\s*$/.exec(lead)?.[1];
	if (space !== undefined) return list(from, completeSpace(space, names, there));
	const path = /(?:^|[^\w.])ctx((?:\.\w+)*)\.$/.exec(lead)?.[1];
	if (path !== undefined) {
		const options = fieldsBelow(path.slice(1)).map(({ name, text }): Option => ({ label: name, kind: 'property', doc: doc([`ctx${path}.${name}`], text) }));
		return list(from, options);
	}
	if (/(^|[^.])\.\s*$/.test(lead)) return list(from, completePoint(lead, names));
	if (/\d$/.test(lead) || (typed === '' && !/[\s([{,=|!&+*<>-]$/.test(lead))) return null;
	if (/^\d/.test(typed) || /\bfn\s+$/.test(lead)) return null;
	return list(from, completeWord(names));
}

function list(from: number, options: Option[]): Completion | null {
	return options.length === 0 ? null : { from, options };
}

function completeText(source: string, at: number, inside: Token, there: Surroundings): Completion | null {
	const lead = source.slice(Math.max(0, inside.at - 80), inside.at);
	const from = inside.at + 1;
	if (source.slice(from, at).includes('\n')) return null;
	if (/\bimport\s*$/.test(lead)) return list(from, there.modules.map((name): Option => ({ label: name, kind: 'module', detail: 'module of this app' })));
	if (/\.code\s*[!=]=\s*$/.test(lead) || /\bcode\s*:\s*$/.test(lead)) {
		return list(from, errors.map(({ code, text }): Option => ({ label: code, kind: 'text', doc: doc([code], text) })));
	}
	return null;
}

function completeSpace(space: string, names: Names, there: Surroundings): Option[] {
	const module = moduleNamed(space);
	if (module) return module.functions.map((one) => option(`${space}::`, one, 'function'));
	const imported = names.imports.get(space);
	const text = imported === undefined ? undefined : there.source?.(imported);
	if (text === undefined) return [];
	const theirs = namesIn(text);
	const functions = theirs.functions.filter(({ hidden }) => !hidden);
	return [
		...functions.map((one): Option => ({ label: one.name, kind: 'function', detail: `(${one.parameters.join(', ')})`, apply: `${one.name}(`, doc: doc([`${space}::${one.name}(${one.parameters.join(', ')})`], one.text) })),
		...theirs.variables.filter(({ constant }) => constant).map(({ name }): Option => ({ label: name, kind: 'constant' }))
	];
}

/** What a point is behind: a collection where one is seen, else anything. */
function completePoint(lead: string, names: Names): Option[] {
	const made = /(\w+)::collection\((?:[^()]|\([^()]*\))*\)\s*\.\s*$/.exec(lead)?.[1];
	const name = /([A-Za-z_]\w*)\s*\.\s*$/.exec(lead)?.[1];
	const handle = made ?? (name === undefined ? undefined : names.handles.get(name));
	if (handle !== undefined) return methodsOf(handle).map(({ method }) => option('.', method, 'method'));
	if (name !== undefined && names.caught.has(name)) {
		return [
			{ label: 'code', kind: 'property', doc: doc(['code'], 'What failed, as one of the codes of the reference.') },
			{ label: 'message', kind: 'property', doc: doc(['message'], 'What failed, in words.') }
		];
	}
	const own = METHODS.map(([label, detail, text]): Option => ({ label, kind: 'method', detail, apply: `${label}(`, doc: doc([`.${label}${detail}`], text), rank: 1 }));
	const known = new Set(own.map(({ label }) => label));
	const theirs = methodsOf(null).filter(({ method }) => !known.has(method.name));
	return [...own, ...theirs.map(({ module, method }) => ({ ...option('.', method, 'method'), detail: `${method.signatures[0] ?? '()'} ${module}`, rank: -1 }))].filter(
		({ label }, at, all) => all.findIndex((other) => other.label === label) === at
	);
}

function completeWord(names: Names): Option[] {
	return [
		...names.functions.map(({ name, parameters, text }): Option => ({ label: name, kind: 'function', detail: `(${parameters.join(', ')})`, apply: `${name}(`, doc: doc([`${name}(${parameters.join(', ')})`], text), rank: 3 })),
		...names.variables.map(({ name, constant }): Option => ({ label: name, kind: constant ? 'constant' : 'variable', rank: 3 })),
		...[...names.imports].map(([alias, module]): Option => ({ label: alias, kind: 'module', detail: `module ${module}`, apply: `${alias}::`, rank: 2 })),
		{ label: 'ctx', kind: 'variable', detail: 'what the call is about', doc: doc(['ctx'], 'A constant map: the request, or the event, and who called.'), rank: 2 },
		...modules.map(({ name, text }): Option => ({ label: name, kind: 'module', apply: `${name}::`, doc: doc([name], text), rank: 1 })),
		...GLOBAL.map(([label, detail, text]): Option => ({ label, kind: 'function', detail, apply: `${label}(`, doc: doc([`${label}${detail}`], text) })),
		...KEYWORDS.map((label): Option => ({ label, kind: 'keyword', rank: -1 }))
	];
}

function doc(titles: string[], text: string): Doc {
	return { titles, text, bounds: [] };
}

function option(prefix: string, one: SdkFunction, kind: OptionKind): Option {
	return { label: one.name, kind, detail: one.signatures[0] ?? '()', apply: `${one.name}(`, doc: docOf(prefix, one) };
}

function docOf(prefix: string, { name, signatures, text, bounds, example }: SdkFunction): Doc {
	return { titles: signatures.map((signature) => `${prefix}${name}${signature}`), text, bounds, ...(example === undefined ? {} : { example }) };
}

/** What stands at a place: of a word its part of the reference, or of the source itself. */
export function explain(source: string, at: number, there: Surroundings): { from: number; to: number; doc: Doc } | null {
	const { inside } = around(source, at);
	if (inside?.kind === 'comment') return null;
	let from = at;
	let to = at;
	while (from > 0 && /\w/.test(source[from - 1] ?? '')) from -= 1;
	while (to < source.length && /\w/.test(source[to] ?? '')) to += 1;
	const word = source.slice(from, to);
	if (!/^[A-Za-z_]/.test(word)) return null;
	const found = (what: Doc | null | undefined) => (what ? { from, to, doc: what } : null);
	if (inside !== undefined) {
		const error = errors.find(({ code }) => code === word && source[from - 1] === '"' && source[to] === '"');
		return found(error && doc([`error \u201c${error.code}\u201d`], error.text));
	}
	const lead = source.slice(Math.max(0, from - 400), from);
	const names = namesIn(source);
	const space = /([A-Za-z_]\w*)\s*::\s*$/.exec(lead)?.[1];
	if (space !== undefined) {
		const one = functionNamed(space, word);
		return found(one ? docOf(`${space}::`, one) : completeSpace(space, names, there).find(({ label }) => label === word)?.doc);
	}
	const path = /(?:^|[^\w.])ctx((?:\.\w+)*)\.$/.exec(lead)?.[1];
	if (path !== undefined) {
		const full = `${path.slice(1)}${path === '' ? '' : '.'}${word}`;
		const field = fieldAt(full);
		return found(field && doc([`ctx.${full}`], field.text));
	}
	if (/(^|[^.])\.\s*$/.test(lead)) return found(completePoint(lead, names).find(({ label }) => label === word)?.doc);
	if (/^\s*::/.test(source.slice(to))) {
		const module = moduleNamed(word);
		return found(module && doc([module.name], module.text));
	}
	const own = names.functions.find(({ name }) => name === word);
	if (own) return found(doc([`fn ${own.name}(${own.parameters.join(', ')})`], own.text));
	if (word === 'ctx') return found(doc(['ctx'], 'A constant map: the request, or the event, and who called.'));
	const global = GLOBAL.find(([name]) => name === word);
	return found(global && /^\s*\(/.test(source.slice(to)) ? doc([`${global[0]}${global[1]}`], global[2]) : null);
}
