import { expect, it } from 'vitest';
import { draftOf, keepDraft } from './draft';

function storage() {
	const kept = new Map<string, string>();
	return {
		kept,
		getItem: (key: string) => kept.get(key) ?? null,
		setItem: (key: string, value: string) => void kept.set(key, value),
		removeItem: (key: string) => void kept.delete(key)
	};
}

it('keeps one draft for each script until it is forgotten', () => {
	const there = storage();
	keepDraft('a', { source: '1', version: 3 }, there);
	keepDraft('b', { source: '2', version: 1 }, there);
	expect(draftOf('a', there)).toEqual({ source: '1', version: 3 });
	keepDraft('a', null, there);
	expect(draftOf('a', there)).toBe(null);
	expect(draftOf('b', there)).toEqual({ source: '2', version: 1 });
});

it('takes nothing that is no draft, and lives without a storage', () => {
	const there = storage();
	there.kept.set('picloud.draft.a', '{"source": 1}');
	there.kept.set('picloud.draft.b', '{');
	expect([draftOf('a', there), draftOf('b', there)]).toEqual([null, null]);
	const broken = { getItem: () => { throw new Error('off'); }, setItem: () => { throw new Error('full'); }, removeItem: () => undefined };
	expect(draftOf('a', broken)).toBe(null);
	keepDraft('a', { source: '1', version: 1 }, broken);
});
