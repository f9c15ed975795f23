import { describe, expect, it } from 'vitest';
import { literals, merged, narrows, nothing, readBack, write, type Built, type Condition } from './filter';

const by = (field: string, operator: Condition['operator'], value = ''): Condition => ({ field, operator, value });
const built = (conditions: Condition[], field = '', down = false): Built => ({ conditions, order: { field, down } });

describe('a filter', () => {
	it('is written as scripts write it', () => {
		expect(write(nothing)).toBe('');
		expect(write(built([by('paid', '$eq', 'false')]))).toBe('{"paid": false}');
		expect(write(built([by('name', '$eq', 'Ada')], 'age', true))).toBe('{"name": "Ada", "$sort": "-age"}');
		expect(write(built([by('age', '$gte', '10'), by('age', '$lt', '20')]))).toBe('{"age": {"$gte": 10, "$lt": 20}}');
		expect(write(built([by('a.b', '$exists'), by('c', '$missing')]))).toBe('{"a.b": {"$exists": true}, "c": {"$exists": false}}');
		expect(write(built([], '', true))).toBe('{"$sort": "-$id"}');
		expect(write(built([by('  ', '$eq', '1')]))).toBe('');
	});

	it('says an operator that comes twice beside it', () => {
		const text = write(built([by('tags', '$eq', 'a'), by('tags', '$eq', 'b')]));
		expect(text).toBe('{"tags": {"$eq": "a"}, "$and": [{"tags": {"$eq": "b"}}]}');
		expect(readBack(text)?.conditions).toEqual([by('tags', '$eq', 'a'), by('tags', '$eq', 'b')]);
		expect(() => JSON.parse(write(built([by('x', '$exists'), by('x', '$missing')]))) as unknown).not.toThrow();
	});

	it('takes lists with and without brackets', () => {
		expect(literals('Paris, Rome')).toBe('["Paris", "Rome"]');
		expect(literals('1, "2", true')).toBe('[1, "2", true]');
		expect(literals('["a, b"]')).toBe('["a, b"]');
	});

	it('does not take a map for operators', () => {
		expect(write(built([by('at', '$eq', '{"x": 1}')]))).toBe('{"at": {"$eq": {"x": 1}}}');
	});

	it('is read back where the lines can say it', () => {
		for (const one of [
			built([by('paid', '$eq', 'false'), by('total', '$gt', '3.50')], 'total', true),
			built([by('name', '$eq', 'true story'), by('n', '$eq', '"3"')]),
			built([by('city', '$in', '["Paris", "Rome"]')], 'name')
		]) {
			expect(readBack(write(one))).toEqual(one);
		}
		for (const text of ['{"$or": []}', '{"a": {"$not": {}}}', '[1]', '{', '{"$sort": ["a", "b"]}', '{"$limit": 3}', '{"a": {}}']) {
			expect(readBack(text)).toBeNull();
		}
		expect(readBack(' ')).toEqual(nothing);
		expect(readBack('{"$sort": "-$id"}')?.order).toEqual({ field: '', down: true });
	});

	it('knows whether it narrows', () => {
		expect(narrows('')).toBe(false);
		expect(narrows('{"$sort": "a"}')).toBe(false);
		expect(narrows('{"a": 1}')).toBe(true);
		expect(narrows('{"$or": []}')).toBe(true);
	});
});

it('merges as RFC 7396 says', () => {
	expect(merged({ a: 1, b: { c: 2, d: 3 } }, { b: { c: null, e: [1] }, f: 'x' })).toEqual({ a: 1, b: { d: 3, e: [1] }, f: 'x' });
	expect(merged({ a: [1, 2] }, { a: [3] })).toEqual({ a: [3] });
	expect(merged({ a: 1 }, { a: { b: null, c: 1 } })).toEqual({ a: { c: 1 } });
	expect(merged({ a: 1 }, [1])).toEqual([1]);
});
