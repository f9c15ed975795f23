import { describe, expect, it } from 'vitest';
import { freeName, nameFault, templates } from './templates';

describe('names of scripts', () => {
	it('are lower case with - and _', () => {
		for (const name of ['', 'a', 'on-change', '7_up']) expect(nameFault(name)).toBeUndefined();
		expect(nameFault('Hello')).toContain('Lower-case');
		expect(nameFault('-a')).toContain('begins');
		expect(nameFault('a b')).toContain('Only');
	});

	it('are proposed so that they are free', () => {
		expect(freeName('hello', [])).toBe('hello');
		expect(freeName('hello', ['hello', 'hello-2'])).toBe('hello-3');
	});
});

it('templates have legal names and end with a line break', () => {
	expect(new Set(templates.map(({ id }) => id)).size).toBe(templates.length);
	for (const { name, source } of templates) {
		expect(nameFault(name)).toBeUndefined();
		expect(source.endsWith('\n')).toBe(true);
	}
});
