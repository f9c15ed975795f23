// Writes src/lib/editor/sdk.json from the script reference (guest/README.md): what the editor completes and explains. With
// `--check` it writes nothing and fails when the file is not what the reference says.
import { readdir, readFile, writeFile } from 'node:fs/promises';

const target = new URL('../src/lib/editor/sdk.json', import.meta.url);
const guest = new URL('../../guest/', import.meta.url);
const reference = await readFile(new URL('README.md', guest), 'utf8');

/** Sections by heading: the text below each, up to the next of any level. */
function sections(text) {
	const found = new Map();
	let title = '';
	let fenced = false;
	for (const line of text.split('\n')) {
		if (line.startsWith('```')) fenced = !fenced;
		const heading = fenced ? null : /^#{2,3} (.+)$/.exec(line);
		if (heading) title = heading[1].replaceAll('`', '');
		else found.set(title, `${found.get(title) ?? ''}${line}\n`);
	}
	return found;
}

/** A section as its blocks: paragraphs, rows of tables, code. */
function blocks(text) {
	const list = [];
	const parts = text.split(/^```(\w*)\n([\s\S]*?)^```$/m);
	for (let at = 0; at < parts.length; at += 3) {
		for (const block of parts[at].split(/\n\s*\n/)) {
			const lines = block.trim().split('\n').filter(Boolean);
			if (lines.length === 0) continue;
			if (lines[0].startsWith('|')) list.push({ kind: 'table', rows: lines.filter((line) => !/^\|[-|: ]+\|$/.test(line)).map(cells) });
			else if (lines[0].startsWith('- ')) {
				for (const item of lines.join('\n').split(/^- /m).filter(Boolean)) list.push({ kind: 'text', text: plain(item) });
			} else list.push({ kind: 'text', text: plain(lines.join(' ')) });
		}
		if (parts[at + 1] !== undefined) list.push({ kind: 'code', language: parts[at + 1], text: parts[at + 2].trimEnd() });
	}
	return list;
}

/** Pipes inside code are no ends of cells. */
function cells(line) {
	const list = [''];
	let code = false;
	for (const sign of line.replace(/^\|/, '').replace(/\|\s*$/, '')) {
		if (sign === '`') code = !code;
		if (sign === '|' && !code) list.push('');
		else list[list.length - 1] += sign;
	}
	return list.map((cell) => plain(cell));
}

/** Links as their words, no emphasis; code stays between its ticks. */
function plain(text) {
	return text
		.replace(/\s+/g, ' ')
		.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
		.replace(/\*\*([^*]+)\*\*/g, '$1')
		.trim();
}

const spans = (text) => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code);

/** At the signs, where they stand in no code and no parentheses. */
function split(text, signs) {
	const parts = [''];
	let code = false;
	let depth = 0;
	for (let at = 0; at < text.length; at += 1) {
		const sign = text[at];
		if (sign === '`') code = !code;
		if (!code) depth += sign === '(' ? 1 : sign === ')' ? -1 : 0;
		if (!code && depth <= 0 && signs.includes(sign) && (text[at + 1] ?? ' ') === ' ') {
			parts[parts.length - 1] += sign === '.' ? '.' : '';
			parts.push('');
		} else parts[parts.length - 1] += sign;
	}
	return parts.map((part) => part.trim()).filter((part) => part !== '' && part !== '.');
}

function sentence(text) {
	const clean = text.replace(/^[:,;.\s]+/, '').trim();
	if (clean === '') return '';
	return clean.endsWith('.') || clean.endsWith(')') ? clean : `${clean}.`;
}

class Functions {
	list = new Map();

	add(name, parameters, text) {
		const known = this.list.get(name) ?? { name, signatures: [], text: [] };
		this.list.set(name, known);
		if (parameters !== null && !known.signatures.includes(`(${parameters})`)) known.signatures.push(`(${parameters})`);
		if (text !== '' && !known.text.includes(text)) known.text.push(text);
	}

	/** `replace_all(…)`, `encode_url`: it takes what its shorter namesake takes. */
	like(name) {
		const shorter = [...this.list.keys()].filter((other) => name.startsWith(`${other}_`)).sort((a, b) => b.length - a.length)[0];
		return shorter === undefined ? null : (this.list.get(shorter).signatures[0]?.slice(1, -1) ?? null);
	}
}

function call(module, code) {
	const found = new RegExp(`^(?:${module}::)?([a-z_0-9]+)\\((.*)\\)$`).exec(code);
	return found ? { name: found[1], parameters: found[2] } : null;
}

/** A row of a table of functions; where its column says what they do ("sends"), that word comes first. */
function row(module, functions, verb, [names = '', said = '']) {
	const text = verb === 'answer' ? said : `${verb} ${said}`;
	const calls = spans(names).map((code) => call(module, code)).filter(Boolean);
	const options = spans(names).find((code) => code.startsWith('#{'));
	for (const { name, parameters } of calls) {
		functions.add(name, parameters === '…' ? functions.like(name) : parameters, sentence(text));
	}
	if (calls.length > 0 || options === undefined) return;
	// "`update`, `patch` with a last argument `#{ if_revision }`"
	for (const name of spans(names).filter((code) => /^\w+$/.test(code))) {
		const first = functions.list.get(name)?.signatures[0]?.slice(1, -1);
		if (first !== undefined) functions.add(name, `${first}, ${options}`, sentence(`With \`${options}\`: ${text}`));
	}
}

/** Functions that a paragraph tells of; the clauses that did are marked as used. */
function prose(module, functions, text, known, used) {
	const shared = new RegExp(`^((?:\`${module}::\\w+\`(?:, )?)+): ((?:\`\\([^\`]*\\)\`(?: or )?)+)`).exec(text);
	if (shared) {
		for (const name of spans(shared[1])) {
			for (const parameters of spans(shared[2])) {
				functions.add(name.split('::')[1], parameters.slice(1, -1), text.slice(shared[0].length).replace(/^[.\s]+/, ''));
			}
		}
		used.add(text);
		return;
	}
	for (const clause of split(text, ';.')) {
		const found = spans(clause).map((code) => ({ code, ...(call(module, code) ?? {}) })).filter(({ name }) => known.has(name));
		const bare = spans(clause).filter((code) => known.has(code) && !functions.list.get(code)?.signatures.length);
		if (found.length === 0 && bare.length === 0) continue;
		used.add(clause);
		const rest = found.reduce((left, { code }) => left.replace(`\`${code}\``, ''), clause);
		const only = rest.replace(/\([^()]*(?:\([^()]*\)[^()]*)*\)/g, '').replace(/\b(and|or)\b|[,.\s]/g, '') === '';
		for (const { code, name, parameters } of found) {
			const behind = clause.slice(clause.indexOf(`\`${code}\``) + code.length + 2);
			const aside = /^ \(((?:[^()]|\([^()]*\))*)\)/.exec(behind)?.[1] ?? '';
			const own = found.length === 1 && clause.startsWith(`\`${code}\`: `) ? behind : clause;
			functions.add(name, parameters, only ? sentence(aside) : sentence(own));
		}
		for (const name of bare) functions.add(name, functions.like(name), sentence(clause));
	}
}

/** Sentences with a figure that name a parameter or an option of the function: what it takes. */
function bounds({ signatures }, texts) {
	const words = new Set(signatures.flatMap((signature) => signature.match(/[a-z_]+/g) ?? []));
	return texts.filter((text) => {
		if (!/\d/.test(text) || spans(text).some((code) => /\w\(/.test(code))) return false;
		return [...words].some((word) => new RegExp(word.length > 1 ? `(?:\`${word}\`|\\b${word}s\\b)` : `\`${word}\``, 'i').test(text));
	});
}

/** What the interpreter registers: nothing of it may be missing from the reference. */
async function registered() {
	const found = new Map();
	for (const file of await readdir(new URL('src/api/', guest))) {
		const source = await readFile(new URL(`src/api/${file}`, guest), 'utf8');
		const module = /register_static_module\("(\w+)"/.exec(source)?.[1];
		if (module === undefined) continue;
		const names = [...source.matchAll(/function\(&mut module, "(\w+)"/g)].map(([, name]) => name);
		const methods = [...source.matchAll(/\.register_fn\("(\w+)"/g)].map(([, name]) => name);
		found.set(module, { names: new Set(names), methods: new Set(methods) });
	}
	return found;
}

function moduleOf(name, text, { names, methods }) {
	const parts = blocks(text);
	const functions = new Functions();
	const used = new Set();
	const options = [];
	for (const part of parts) {
		if (part.kind === 'table' && part.rows[0][0] === 'function') {
			for (const cells of part.rows.slice(1)) row(name, functions, part.rows[0][1], cells);
		}
		else if (part.kind === 'table' && ['option', 'key'].includes(part.rows[0][0])) {
			for (const [keys, about] of part.rows.slice(1)) for (const key of spans(keys)) options.push({ name: key, text: sentence(about) });
		}
	}
	const texts = parts.filter(({ kind }) => kind === 'text').map((part) => part.text);
	if (functions.list.size === 0) for (const paragraph of texts) prose(name, functions, paragraph, names, used);
	const collection = methods.size > 0;
	const free = texts.flatMap((paragraph) => (used.has(paragraph) ? [] : split(paragraph, ';.'))).filter((clause) => !used.has(clause));
	const examples = parts.filter(({ kind, language }) => kind === 'code' && (language === 'rhai' || language === 'text')).map((part) => part.text);
	const lead = texts.find((paragraph) => !used.has(paragraph) && split(paragraph, ';.').some((clause) => !used.has(clause))) ?? '';
	const about = split(lead, '.').slice(0, 2).join(' ');
	const finish = (one) => {
		const example = examples.find((code) => new RegExp(`${collection ? '\\.' : `${name}::`}${one.name}\\(`).test(code));
		return {
			name: one.name,
			signatures: one.signatures,
			text: one.text.join(' ') || about,
			bounds: bounds(one, free).map(sentence),
			...(example === undefined ? {} : { example })
		};
	};
	const all = [...functions.list.values()].map(finish);
	for (const wanted of collection ? methods : names) {
		const one = all.find((other) => other.name === wanted);
		if (!one || one.signatures.length === 0) throw new Error(`guest/README.md does not tell the arguments of ${name}::${wanted}`);
	}
	if (!collection) return { name, text: about, functions: all, methods: [], options };
	const handle = {
		name: 'collection',
		signatures: ['(name)'],
		text: 'A handle on one collection of the app; making it costs nothing.',
		bounds: free.filter((clause) => /collection names/i.test(clause)).map(sentence)
	};
	return { name, text: about, functions: [handle], methods: all, options };
}

/** Rows of tables whose first cell names fields. */
function fields(part, prefix = '') {
	return part.rows.slice(1).filter(([names]) => names.startsWith('`')).flatMap(([names, text]) =>
		spans(names).filter((code) => /^[\w.]+$/.test(code)).map((field) => ({ path: prefix + field, text: sentence(text) }))
	);
}

function contextOf(found) {
	const list = blocks(found.get('ctx')).filter(({ kind }) => kind === 'table').flatMap((part) => fields(part));
	let prefix = 'event.';
	for (const part of blocks(found.get('What a handler sees'))) {
		if (part.kind === 'text') {
			const source = /^`ctx\.event\.(\w+)`\. (.*)$/.exec(part.text);
			if (source) {
				prefix = `event.${source[1]}.`;
				list.push({ path: `event.${source[1]}`, text: source[2] });
			}
		} else if (part.kind === 'table') list.push(...fields(part, prefix));
	}
	return list;
}

const found = sections(reference);
const modules = [];
for (const [name, what] of [...(await registered())].sort(([a], [b]) => (a < b ? -1 : 1))) {
	const text = found.get(name);
	if (text === undefined) throw new Error(`guest/README.md has no section about ${name}`);
	modules.push(moduleOf(name, text, what));
}
const errors = blocks(found.get('Errors')).find(({ kind }) => kind === 'table').rows.slice(1)
	.map(([code, text]) => ({ code: spans(code)[0], text: sentence(text) }));
const wanted = `${JSON.stringify({ modules, ctx: contextOf(found), errors }, null, '\t')}\n`;

if (process.argv.includes('--check')) {
	if ((await readFile(target, 'utf8').catch(() => '')) === wanted) {
		console.log('sdk.json is what guest/README.md says.');
	} else {
		console.error('src/lib/editor/sdk.json is not what guest/README.md says: npm run sdk');
		process.exitCode = 1;
	}
} else {
	await writeFile(target, wanted);
	console.log('src/lib/editor/sdk.json is written.');
}
