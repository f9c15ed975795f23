/** The nodes that share a database: how each is, and what is to be said of them together. Pure. */
import type { Node } from '$lib/api';
import { plural } from '$lib/format';

type State = Node['state'];

/** From the usual one to the worst. */
export const states: Record<State, { tone: 'good' | 'info' | 'warn' | 'bad'; about: string }> = {
	serving: { tone: 'good', about: 'It answers.' },
	draining: { tone: 'info', about: 'It was told to end, and finishes what runs.' },
	silent: { tone: 'warn', about: 'It is connected to the database, and did not answer within a second: it is stopped, or has too much to do.' },
	gone: {
		tone: 'bad',
		about: 'It is not connected any more, and never said that it leaves: killed, cut off, or without power. It stays in the list for an hour; started anew it is there a second time.'
	}
};

/** What each role is for, by what may become of it while nobody has it. */
const roles: Record<string, string> = {
	ingress: 'requests to scripts may find nobody',
	api: 'this dashboard and the API may go away',
	workers: 'events and schedules may wait'
};

const stateWords = Object.keys(states) as State[];

/** "1 node, serving", "3 nodes, all serving", "3 nodes: 2 serving, 1 gone". */
export function summary(nodes: readonly Node[]): string {
	const counted = stateWords.map((state) => ({ state, many: nodes.filter((node) => node.state === state).length })).filter(({ many }) => many > 0);
	const [first, second] = counted;
	const all = plural(nodes.length, 'node');
	if (first === undefined) return all;
	if (second === undefined) return `${all}, ${nodes.length > 1 ? 'all ' : ''}${first.state}`;
	return `${all}: ${counted.map(({ state, many }) => `${many} ${state}`).join(', ')}`;
}

/** The states that need explaining: those in the list but for the usual one. */
export function unusual(nodes: readonly Node[]): State[] {
	return stateWords.filter((state) => state !== 'serving' && nodes.some((node) => node.state === state));
}

/** The roles that no node that serves has, each with what may become of it. */
export function lacking(nodes: readonly Node[]): { role: string; so: string }[] {
	const had = new Set(nodes.filter(({ state }) => state === 'serving').flatMap((node) => node.roles));
	return Object.entries(roles).flatMap(([role, so]) => (had.has(role) ? [] : [{ role, so }]));
}

/** The versions of those that are there, each once, in the order in which they started. */
export function versions(nodes: readonly Node[]): string[] {
	return [...new Set(nodes.filter(({ state }) => state !== 'gone').map(({ version, schema }) => `${version} (schema ${schema})`))];
}

/** Whether no other node is connected to the database. */
export function isAlone(nodes: readonly Node[]): boolean {
	return nodes.filter(({ state }) => state !== 'gone').length <= 1;
}
