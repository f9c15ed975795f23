/** Routes as people read them, and the order in which they are asked. Pure; mirrors what the platform documents. */
import type { RouteState } from '$lib/api';

export type Shape = Pick<RouteState, 'method' | 'host' | 'path'>;

export type PathKind = 'exact' | 'param' | 'prefix';

const segments = (path: string) => path.split('/').slice(1);

export function kindOf(path: string): PathKind {
	if (path.endsWith('/*')) return 'prefix';
	return segments(path).some((segment) => segment.startsWith(':')) ? 'param' : 'exact';
}

/** "GET /users/:id", with the host where one is named: what tells routes of an app apart. */
export function routeName({ method, host, path }: Shape): string {
	return `${method ?? 'ANY'} ${host ?? ''}${path}`;
}

/** A request that the pattern matches: `/users/:id` is called as `/users/17`. */
export function sample(path: string): string {
	const filled = segments(path).map((segment, index, all) => {
		if (segment === '*' && index === all.length - 1) return 'a/b';
		return segment.startsWith(':') ? (/id$/i.test(segment) ? '17' : segment.slice(1) || 'x') : segment;
	});
	return `/${filled.join('/')}`;
}

/** What is wrong with a pattern, told while one types; undefined where nothing is seen. The server has the last word. */
export function pathFault(path: string): string | undefined {
	if (path === '') return undefined;
	if (!path.startsWith('/')) return 'A path begins with /.';
	if (/[?#]/.test(path)) return 'Without a query: the script reads it from ctx.request.query.';
	if (/\s/.test(path)) return 'Without spaces.';
	const all = segments(path);
	for (const [index, segment] of all.entries()) {
		if (segment === ':') return 'A parameter has a name: /users/:id.';
		if (segment.includes('*') && !(segment === '*' && index === all.length - 1)) return '* stands alone, and at the end: /files/*.';
		if (segment === '.' || segment === '..') return 'Without . and .. as segments.';
	}
	const names = all.filter((segment) => segment.startsWith(':'));
	const double = names.find((name, index) => names.indexOf(name) !== index);
	return double === undefined ? undefined : `${double} is there twice.`;
}

const KINDS: readonly PathKind[] = ['exact', 'param', 'prefix'];

/** Literal segments at the beginning: what makes one of two patterns of a kind the more precise. */
function literal(path: string): number {
	const all = segments(path);
	const end = all.findIndex((segment) => segment.startsWith(':') || segment === '*');
	return end === -1 ? all.length : end;
}

function hostRank(host: string | null): number {
	if (host === null) return 2;
	return host.startsWith('*.') ? 1 : 0;
}

/**
 * Which of two routes that match one request answers it: negative when the first does, 0 when neither goes before the
 * other, which the platform refuses as a conflict.
 */
export function precedence(one: Shape, other: Shape): number {
	return (
		KINDS.indexOf(kindOf(one.path)) - KINDS.indexOf(kindOf(other.path)) ||
		literal(other.path) - literal(one.path) ||
		Number(one.method === null) - Number(other.method === null) ||
		hostRank(one.host) - hostRank(other.host)
	);
}

/** For lists: by path as people look for it, then by what goes first. */
export function byPath(one: Shape, other: Shape): number {
	return one.path.localeCompare(other.path) || precedence(one, other) || routeName(one).localeCompare(routeName(other));
}

/** Which rule decides between two routes, in words. */
export function reason(first: Shape, second: Shape): string {
	const kinds = [kindOf(first.path), kindOf(second.path)] as const;
	if (kinds[0] !== kinds[1]) {
		const words = { exact: 'an exact path', param: 'a path with parameters', prefix: 'a prefix' };
		return `${words[kinds[0]]} goes before ${words[kinds[1]]}`;
	}
	if (literal(first.path) !== literal(second.path)) return 'more literal segments at the beginning go first';
	if ((first.method === null) !== (second.method === null)) return 'a named method goes before any method';
	return 'a named host goes before a wildcard, and that before any host';
}

/** A command that calls it. */
export function curl({ method, host, path }: Shape, base: string): string {
	const url = new URL(sample(path), base);
	if (host !== null) url.hostname = host.replace(/^\*\./, 'www.');
	const asked = method ?? 'GET';
	const body = ['POST', 'PUT', 'PATCH'].includes(asked) ? ` \\\n  -H 'content-type: application/json' -d '{}'` : '';
	return `curl -i${asked === 'GET' ? '' : ` -X ${asked}`} '${url.href.replaceAll("'", '%27')}'${body}`;
}
