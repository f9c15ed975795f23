/**
 * JSON that a person writes: where it is wrong, in the same words in every browser, and laid out without touching its
 * numbers and texts (`JSON.parse` would make 41 of 41.0, and round what is past 2⁵³). Pure.
 */

export interface Mistake {
	message: string;
	/** From 1. */
	line: number;
	column: number;
	/** In the text, from 0. */
	offset: number;
}

/** A value as it stands in the text. */
export type Node =
	| { kind: 'leaf'; text: string }
	| { kind: 'list'; items: Node[] }
	| { kind: 'map'; fields: { key: string; node: Node }[] };

const DEPTH_MAX = 200;
const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const WORDLIKE = /[\p{L}\d_$.+-]+/uy;

class Wrong extends Error {
	constructor(
		message: string,
		readonly offset: number
	) {
		super(message);
	}
}

class Reader {
	#at = 0;

	constructor(readonly text: string) {}

	whole(): Node {
		this.#space();
		if (this.#at === this.text.length) throw new Wrong('There is nothing here: write a value.', this.#at);
		const node = this.#value(0);
		this.#space();
		if (this.#at < this.text.length) throw new Wrong('The value ends before this: nothing may follow it.', this.#at);
		return node;
	}

	#space(): void {
		this.#match(SPACE);
	}

	#match(pattern: RegExp): string | null {
		pattern.lastIndex = this.#at;
		const found = pattern.exec(this.text)?.[0] ?? null;
		if (found !== null) this.#at += found.length;
		return found;
	}

	#value(depth: number): Node {
		if (depth > DEPTH_MAX) throw new Wrong(`More than ${DEPTH_MAX} levels.`, this.#at);
		const first = this.text[this.#at];
		if (first === '{') return this.#map(depth);
		if (first === '[') return this.#list(depth);
		if (first === '"') return { kind: 'leaf', text: this.#string() };
		const start = this.#at;
		const leaf = this.#match(WORD) ?? this.#match(NUMBER);
		if (leaf !== null && this.#match(WORDLIKE) === null) return { kind: 'leaf', text: leaf };
		this.#at = start;
		throw new Wrong(this.#noValue(), start);
	}

	#noValue(): string {
		const first = this.text[this.#at];
		if (first === undefined) return 'The text ends where a value should stand.';
		if (first === "'" || first === '`') return 'Texts stand in double quotes.';
		if (first === ',' || first === '}' || first === ']') return `A value should stand before this ${first}`;
		if (first === '/' || first === '#') return 'JSON has no comments and no #.';
		const word = this.#match(WORDLIKE);
		if (word === null) return `A value cannot begin with ${first}`;
		if (/^[-+.\d]/.test(word)) return `${word} is no number in JSON.`;
		return `${word} is no value: texts stand in double quotes, words are true, false and null.`;
	}

	#list(depth: number): Node {
		const items: Node[] = [];
		this.#at += 1;
		this.#space();
		if (this.text[this.#at] === ']') {
			this.#at += 1;
			return { kind: 'list', items };
		}
		for (;;) {
			this.#space();
			items.push(this.#value(depth + 1));
			if (!this.#goesOn(']', 'list')) return { kind: 'list', items };
		}
	}

	#map(depth: number): Node {
		const fields: { key: string; node: Node }[] = [];
		const keys = new Set<string>();
		this.#at += 1;
		this.#space();
		if (this.text[this.#at] === '}') {
			this.#at += 1;
			return { kind: 'map', fields };
		}
		for (;;) {
			this.#space();
			const start = this.#at;
			if (this.text[start] !== '"') throw new Wrong('A name in double quotes should stand here.', start);
			const key = this.#string();
			const name = JSON.parse(key) as string;
			if (keys.has(name)) throw new Wrong(`The name ${key} stands here twice.`, start);
			keys.add(name);
			this.#space();
			if (this.text[this.#at] !== ':') throw new Wrong(`A colon should follow the name ${key}`, this.#at);
			this.#at += 1;
			this.#space();
			fields.push({ key, node: this.#value(depth + 1) });
			if (!this.#goesOn('}', 'map')) return { kind: 'map', fields };
		}
	}

	/** After an element: whether another one comes. */
	#goesOn(end: string, what: string): boolean {
		this.#space();
		const next = this.text[this.#at];
		if (next === end) {
			this.#at += 1;
			return false;
		}
		if (next === undefined) throw new Wrong(`The text ends inside a ${what}: ${end} is missing.`, this.#at);
		if (next !== ',') throw new Wrong(`A comma or ${end} should stand here.`, this.#at);
		const comma = this.#at;
		this.#at += 1;
		this.#space();
		if (this.text[this.#at] === end) throw new Wrong(`Nothing follows this comma: take it out.`, comma);
		return true;
	}

	/** With its quotes, as it stands. */
	#string(): string {
		const start = this.#at;
		this.#at += 1;
		for (;;) {
			const char = this.text[this.#at];
			if (char === undefined) throw new Wrong('This text has no closing quote.', start);
			if (char === '\n' || char === '\r') throw new Wrong('A text stays on one line: write a line break as \\n.', this.#at);
			if (char < ' ') throw new Wrong('A control character stands here: write it with a backslash.', this.#at);
			this.#at += 1;
			if (char === '"') return this.text.slice(start, this.#at);
			if (char !== '\\') continue;
			const escaped = /(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;
			if (this.#match(escaped) === null) throw new Wrong('This backslash begins nothing that JSON knows.', this.#at - 1);
		}
	}
}

/** Reads a text: what stands in it, or the first mistake. */
export function read(text: string): { node: Node; mistake: null } | { node: null; mistake: Mistake } {
	try {
		return { node: new Reader(text).whole(), mistake: null };
	} catch (thrown) {
		if (!(thrown instanceof Wrong)) throw thrown;
		const before = text.slice(0, thrown.offset).split('\n');
		const mistake = {
			message: thrown.message,
			line: before.length,
			column: [...(before.at(-1) ?? '')].length + 1,
			offset: thrown.offset
		};
		return { node: null, mistake };
	}
}

/** On several lines, as `JSON.stringify` lays it out with a step of two. */
export function laidOut(node: Node, indent = ''): string {
	const inner = `${indent}  `;
	if (node.kind === 'leaf') return node.text;
	if (node.kind === 'list') {
		if (node.items.length === 0) return '[]';
		return `[\n${node.items.map((item) => inner + laidOut(item, inner)).join(',\n')}\n${indent}]`;
	}
	if (node.fields.length === 0) return '{}';
	return `{\n${node.fields.map((field) => `${inner}${field.key}: ${laidOut(field.node, inner)}`).join(',\n')}\n${indent}}`;
}

/** Without a space that is not inside a text: what is sent and kept. */
export function compact(node: Node): string {
	if (node.kind === 'leaf') return node.text;
	if (node.kind === 'list') return `[${node.items.map(compact).join(',')}]`;
	return `{${node.fields.map(({ key, node: value }) => `${key}:${compact(value)}`).join(',')}}`;
}

/** The text laid out anew; as it is where it is wrong. */
export function tidy(text: string): string {
	const { node } = read(text);
	return node === null ? text : laidOut(node);
}

/** One field of a map's text, laid out; null where the text is no map or has no such field. */
export function member(text: string, name: string): string | null {
	const { node } = read(text);
	if (node?.kind !== 'map') return null;
	const found = node.fields.find(({ key }) => JSON.parse(key) === name);
	return found === undefined ? null : laidOut(found.node);
}

/** "line 3, column 14: Texts stand in double quotes." */
export function place({ line, column, message }: Mistake): string {
	return `line ${line}, column ${column}: ${message}`;
}

/** Why a text is no map; null where it is one. */
export function notMap(text: string): string | null {
	const { node, mistake } = read(text);
	if (mistake !== null) return place(mistake);
	return node.kind === 'map' ? null : 'The outermost is a map: { … }';
}
