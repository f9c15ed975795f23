/** The filter of documents: written by a few fields, or by hand. Pure; the server has the last word. */
import { read, type Node } from '$lib/collections/json';

export const operators = [
	{ value: '$eq', label: 'is' },
	{ value: '$ne', label: 'is not' },
	{ value: '$gt', label: 'is more than' },
	{ value: '$gte', label: 'is at least' },
	{ value: '$lt', label: 'is less than' },
	{ value: '$lte', label: 'is at most' },
	{ value: '$in', label: 'is one of' },
	{ value: '$nin', label: 'is none of' },
	{ value: '$exists', label: 'is there' },
	{ value: '$missing', label: 'is not there' }
] as const;

export type Operator = (typeof operators)[number]['value'];

/** One line of the builder. `value` is as it is typed: JSON where it reads as such, else a text. */
export interface Condition {
	field: string;
	operator: Operator;
	value: string;
}

export interface Order {
	/** `$id` or a path; empty: by id. */
	field: string;
	down: boolean;
}

export interface Built {
	conditions: Condition[];
	order: Order;
}

export const nothing: Built = { conditions: [], order: { field: '', down: false } };

/** What a typed value is, as JSON text: `3`, `true` and `"3"` as they are, `open` as the text "open". */
export function literal(typed: string): string {
	return read(typed).mistake === null ? typed.trim() : JSON.stringify(typed);
}

/** Of `is one of`: a JSON list as it is, else what stands between commas. */
export function literals(typed: string): string {
	const { node } = read(typed);
	if (node?.kind === 'list') return typed.trim();
	const parts = typed.split(',').map((part) => part.trim());
	return `[${parts.filter((part) => part !== '').map(literal).join(', ')}]`;
}

function test({ operator, value }: Condition): string {
	if (operator === '$exists') return '"$exists": true';
	if (operator === '$missing') return '"$exists": false';
	if (operator === '$in' || operator === '$nin') return `"${operator}": ${literals(value)}`;
	return `"${operator}": ${literal(value)}`;
}

/** The filter as JSON on one line; empty where nothing is asked. Conditions of one field stand together. */
export function write({ conditions, order }: Built): string {
	const fields = new Map<string, Condition[]>();
	for (const condition of conditions) {
		if (condition.field.trim() === '') continue;
		const field = condition.field.trim();
		fields.set(field, [...(fields.get(field) ?? []), condition]);
	}
	const parts: string[] = [];
	const apart: string[] = [];
	for (const [field, all] of fields) {
		const name = JSON.stringify(field);
		const only = all.length === 1 ? all[0] : undefined;
		if (only?.operator === '$eq' && plain(only.value)) {
			parts.push(`${name}: ${literal(only.value)}`);
			continue;
		}
		// A map has each operator once; what comes twice is said beside it.
		const seen = new Set<string>();
		const together: string[] = [];
		for (const condition of all) {
			const text = test(condition);
			const operator = text.slice(0, text.indexOf(':'));
			if (seen.has(operator)) apart.push(`{${name}: {${text}}}`);
			else together.push(text);
			seen.add(operator);
		}
		parts.push(`${name}: {${together.join(', ')}}`);
	}
	if (apart.length > 0) parts.push(`"$and": [${apart.join(', ')}]`);
	const field = order.field.trim();
	if (field !== '' || order.down) parts.push(`"$sort": ${JSON.stringify((order.down ? '-' : '') + (field || '$id'))}`);
	return parts.length === 0 ? '' : `{${parts.join(', ')}}`;
}

/** Whether a value may stand for itself: a map would be read as operators. */
function plain(typed: string): boolean {
	return read(typed).node?.kind !== 'map';
}

/** The builder's lines of a filter; null where it says more than they can. */
export function readBack(text: string): Built | null {
	if (text.trim() === '') return { ...nothing, conditions: [] };
	const { node } = read(text);
	if (node?.kind !== 'map') return null;
	const built: Built = { conditions: [], order: { field: '', down: false } };
	for (const { key, node: value } of node.fields) {
		const field = JSON.parse(key) as string;
		if (field === '$sort') {
			const order = orderOf(value);
			if (order === null) return null;
			built.order = order;
		} else if (field === '$and') {
			if (value.kind !== 'list') return null;
			for (const item of value.items) {
				if (item.kind !== 'map' || item.fields.length !== 1) return null;
				const [one] = item.fields;
				const inner = one === undefined ? null : conditionsOf(JSON.parse(one.key) as string, one.node);
				if (inner === null) return null;
				built.conditions.push(...inner);
			}
		} else {
			const conditions = conditionsOf(field, value);
			if (conditions === null) return null;
			built.conditions.push(...conditions);
		}
	}
	return built;
}

function conditionsOf(field: string, value: Node): Condition[] | null {
	if (field.startsWith('$')) return null;
	if (value.kind !== 'map') return [{ field, operator: '$eq', value: typed(value) }];
	const found: Condition[] = [];
	for (const { key, node } of value.fields) {
		const name = JSON.parse(key) as string;
		if (name === '$exists') {
			if (node.kind !== 'leaf' || !/^(true|false)$/.test(node.text)) return null;
			found.push({ field, operator: node.text === 'true' ? '$exists' : '$missing', value: '' });
			continue;
		}
		const operator = operators.find(({ value }) => value === name)?.value;
		if (operator === undefined) return null;
		found.push({ field, operator, value: typed(node) });
	}
	return found.length === 0 ? null : found;
}

/** What a person would type for a value: texts without quotes where they stay texts. */
function typed(node: Node): string {
	const text = one(node);
	if (!text.startsWith('"')) return text;
	const words = JSON.parse(text) as string;
	return literal(words) === text && words.trim() === words && words !== '' ? words : text;
}

function one(node: Node): string {
	if (node.kind === 'leaf') return node.text;
	if (node.kind === 'list') return `[${node.items.map(one).join(', ')}]`;
	return `{${node.fields.map(({ key, node: value }) => `${key}: ${one(value)}`).join(', ')}}`;
}

function orderOf(node: Node): Order | null {
	if (node.kind === 'list' && node.items.length === 1 && node.items[0] !== undefined) return orderOf(node.items[0]);
	if (node.kind !== 'leaf' || !node.text.startsWith('"')) return null;
	const text = JSON.parse(node.text) as string;
	const down = text.startsWith('-');
	const field = down ? text.slice(1) : text;
	return { field: field === '$id' ? '' : field, down };
}

/** Whether a filter asks for anything but an order. */
export function narrows(text: string): boolean {
	const built = readBack(text);
	return built === null ? text.trim() !== '' : built.conditions.length > 0;
}

type Json = Record<string, unknown>;

const isMap = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** RFC 7396: maps field by field, null takes away, anything else replaces. For the preview; the server does it itself. */
export function merged(target: unknown, change: unknown): unknown {
	if (!isMap(change)) return change;
	const result: Json = isMap(target) ? { ...target } : {};
	for (const [name, value] of Object.entries(change)) {
		if (value === null) delete result[name];
		else result[name] = merged(result[name], value);
	}
	return result;
}
