import { describe, expect, it } from 'vitest';
import { format } from './format';
import sdk from './sdk.json';
import { tokens } from './tokens';

/** What counts: everything but blanks and line ends. */
function words(source: string): string[] {
	return tokens(source)
		.filter(({ kind }) => kind !== 'space' && kind !== 'newline')
		.map(({ text }) => text);
}

const EXAMPLES = [
	...new Set(sdk.modules.flatMap(({ functions, methods }) => [...functions, ...methods]).flatMap((one) => ('example' in one ? [one.example] : [])))
] as string[];

/** Tokens in any order, apart and joined: also what is no Rhai must come out as it went in. */
function scraps(seed: number): string {
	const parts = [
		'-', '- ', '--', '+', ' = ', '==', '=>', '..', '..=', '::', ':', '.', '?.', '!', '|', '||', '&&', '*', '**', ' * ', '/', '(', ')', '[', ']', '?[', '{', '}',
		'#{', '#"a"#', '"b\\""', '`c ${1 + `d`} e`', '`x\n  y`', "'c'", '1', '1.5', '1.', '0xff', 'x', 'if', 'return', ' ', '  ', '\t', '\n', '\n\n\n', '//k \n', '/* l\n /* m */ */', ';', ',', '$', '"open'
	];
	let state = seed;
	const random = () => (state = (state * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
	return Array.from({ length: 40 }, () => parts[Math.floor(random() * parts.length)] ?? '').join('');
}

describe('formatting', () => {
	it('indents by brackets, four blanks each', () => {
		const source = 'fn  f(a,b){\nif a>b {\nreturn #{\nx:1,y:[\n1,2]};\n}\n}\nf( 1 ,2 )  ;';
		expect(format(source)).toBe(
			'fn f(a, b) {\n    if a > b {\n        return #{\n            x: 1, y: [\n                1, 2] };\n    }\n}\nf(1, 2);\n'
		);
	});

	it('hangs what closes under the line that opened it, and lets chains go on one step further', () => {
		const source = 'let x = list\n.filter(|a| {\na>1\n})\n.map(|a| a*2);\nfoo(#{\na: 1\n});\nlet long =\n1 +\n2;';
		expect(format(source)).toBe(
			'let x = list\n    .filter(|a| {\n        a > 1\n    })\n    .map(|a| a * 2);\nfoo(#{\n    a: 1\n});\nlet long =\n    1 +\n    2;\n'
		);
	});

	it('tells a sign from an operator', () => {
		expect(format('let a=-1;a-1;f(-1);a- -1;return - 1;[ -1,x-1 ]')).toBe(
			'let a = -1; a - 1; f(-1); a - -1; return -1; [-1, x - 1]\n'
		);
		expect(format('- -1')).toBe('- -1\n');
	});

	it('keeps one of several empty lines, and texts of several lines as they are', () => {
		expect(format('a;\n\n\n\nlet t = `x\n   y ${ a+1 }\n`;   \n\n')).toBe('a;\n\nlet t = `x\n   y ${ a+1 }\n`;\n');
	});

	it('leaves the examples of the reference as they are', () => {
		// One of them hangs its lines by one blank.
		for (const example of EXAMPLES) expect(format(example)).toBe(`${example.replace(/^ (?=\S)/gm, '    ')}\n`);
	});

	it('changes no token and is done at once', () => {
		for (const source of [...EXAMPLES, ...Array.from({ length: 3000 }, (_, seed) => scraps(seed + 1))]) {
			const once = format(source);
			expect(words(once), source).toEqual(words(source));
			expect(format(once), source).toBe(once);
		}
	});
});
