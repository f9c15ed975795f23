import { describe, expect, it } from 'vitest';
import { complete, explain } from './assist';
import { namesIn } from './names';
import { modules } from './sdk';

const there = { modules: ['tax', 'mail'], source: (name: string) => (name === 'tax' ? '/// Of a net price.\nfn of(net, rate) { net }\nprivate fn hidden() {}\nexport const RATE = 20;' : undefined) };

/** `^` is the cursor. */
function at(marked: string) {
	const place = marked.indexOf('^');
	return { source: marked.replace('^', ''), place };
}

function labels(marked: string): string[] {
	const { source, place } = at(marked);
	return complete(source, place, there)?.options.map(({ label }) => label) ?? [];
}

function told(marked: string) {
	const { source, place } = at(marked);
	return explain(source, place, there)?.doc ?? null;
}

describe('the reference', () => {
	it('has every module, with signatures', () => {
		expect(modules.map(({ name }) => name)).toEqual(
			'base64 crypto dead_letters docs email files hex http invoke json kv log pubsub queue random regex retry secrets time url'.split(' ')
		);
		for (const { functions, methods } of modules) {
			for (const one of [...functions, ...methods]) {
				expect(one.signatures.length, one.name).toBeGreaterThan(0);
				expect(one.text, one.name).not.toBe('');
			}
		}
	});
});

describe('completion', () => {
	it('knows functions of modules, and methods of collections by what made them', () => {
		expect(labels('queue::^')).toEqual(['send', 'size']);
		expect(labels('let a = random::sh^')).toContain('shuffle');
		expect(labels('kv::collection("a").^')).toContain('increment');
		expect(labels('let c = docs::collection("a"); c.f^')).toContain('find_one');
		expect(labels('let c = docs::collection("a"); c.^')).not.toContain('increment');
		expect(labels('let x = [1]; x.^')).toEqual(expect.arrayContaining(['len', 'push', 'filter']));
	});

	it('knows what a call is about', () => {
		expect(labels('ctx.^')).toEqual(expect.arrayContaining(['request', 'event', 'execution_id']));
		expect(labels('ctx.request.^')).toEqual(['method', 'path', 'params', 'rest', 'query', 'headers', 'cookies', 'form', 'body', 'remote_addr']);
		expect(labels('`hello ${ctx.request.q^}`')).toContain('query');
		expect(labels('if ctx.event.kv.^ {}')).toEqual(['collection', 'key', 'value', 'prev']);
	});

	it('knows the modules of the app and what they give', () => {
		expect(labels('import "t^" as t;')).toEqual(['tax', 'mail']);
		expect(labels('import "^')).toEqual(['tax', 'mail']);
		expect(labels('import "tax" as t; t::^')).toEqual(['of', 'RATE']);
	});

	it('knows names of the source itself', () => {
		expect(labels('fn total(net) { net }\nlet sum = 1;\nfor item in [] { }\nto^')).toEqual(expect.arrayContaining(['total', 'sum', 'item', 'kv', 'ctx', 'let']));
	});

	it('knows codes of errors', () => {
		expect(labels('try {} catch (error) { if error.code == "^" {} }')).toContain('conflict');
		expect(labels('try {} catch (e) { e.^ }')).toEqual(['code', 'message']);
	});

	it('says nothing in comments, texts, numbers and names of functions', () => {
		for (const source of ['// kv^', '"kv^"', '/* c^ */', 'let a = 12^', 'fn f^', '`kv::^`']) expect(labels(source), source).toEqual([]);
	});
});

describe('hover', () => {
	it('tells signatures, text, bounds and an example', () => {
		const set = told('let c = kv::collection("a"); c.s^et("b", 1)');
		expect(set?.titles).toEqual(['.set(key, value)', '.set(key, value, #{ ttl_s, if_revision })']);
		expect(set?.bounds.join(' ')).toContain('keys 1 to 512 bytes');
		expect(set?.example).toContain('.set(');
		expect(told('log::in^fo("x")')?.titles).toEqual(['log::info(message)', 'log::info(message, data)']);
	});

	it('tells fields of ctx, modules, codes, functions of the source', () => {
		expect(told('ctx.request.bo^dy')?.text).toContain('parsed when the content type is JSON');
		expect(told('k^v::collection("a")')?.text).toContain('Durable');
		expect(told('error.code == "conf^lict"')?.text).toContain('another state');
		expect(told('// Adds.\nfn add(a, b) { a + b }\nad^d(1, 2)')).toMatchObject({ titles: ['fn add(a, b)'], text: 'Adds.' });
		expect(told('import "tax" as t; t::o^f(1)')?.text).toBe('Of a net price.');
		expect(told('"kv^"')).toBe(null);
		expect(told('1 + ^2')).toBe(null);
	});
});

it('reads the names of a source', () => {
	const names = namesIn('import "tax" as tax;\nprivate fn a(x, y) {}\nconst N = 1;\nlet f = |q, r| q;\nlet k = files::collection("c");\ntry {} catch (err) {}');
	expect(names.functions).toMatchObject([{ name: 'a', parameters: ['x', 'y'], hidden: true }]);
	expect(names.variables.map(({ name }) => name)).toEqual(['x', 'y', 'N', 'f', 'q', 'r', 'k', 'err']);
	expect([...names.imports, ...names.handles]).toEqual([['tax', 'tax'], ['k', 'files']]);
});
