/** A request to try a script with: as a form has it, as the API takes it, as the browser keeps it. Pure. */
import type { NewTestCall, Route } from '$lib/api';

export interface Pair {
	name: string;
	value: string;
}

/** What the form holds. */
export interface Draft {
	method: string;
	/** Without a route: the path itself. */
	path: string;
	/** The path of a route (`/users/:id`), whose places are filled in; empty: none. */
	route: string;
	/** What stands in the places of the route; `*` is what a prefix route leaves over. */
	params: Record<string, string>;
	query: Pair[];
	headers: Pair[];
	body: string;
	/** Of the body: its content type, `base64` for bytes, empty for none. */
	type: BodyType;
}

export const BODY_TYPES = ['', 'application/json', 'text/plain', 'application/x-www-form-urlencoded', 'base64'] as const;
export type BodyType = (typeof BODY_TYPES)[number];
export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const;

export function emptyDraft(): Draft {
	return { method: 'GET', path: '/', route: '', params: {}, query: [], headers: [], body: '', type: '' };
}

/** The places of a route's path: `:id` as "id", a trailing `*` as "*". */
export function placesOf(route: string): string[] {
	return route.split('/').flatMap((step) => (step.startsWith(':') ? [step.slice(1)] : step === '*' ? ['*'] : []));
}

/** The path with its places filled in. */
export function pathOf({ route, path, params }: Pick<Draft, 'route' | 'path' | 'params'>): string {
	if (route === '') return path.startsWith('/') ? path : `/${path}`;
	return route
		.split('/')
		.map((step) => {
			if (step === '*') return (params['*'] ?? '').split('/').map(encodeURIComponent).join('/');
			return step.startsWith(':') ? encodeURIComponent(params[step.slice(1)] ?? '') : step;
		})
		.join('/');
}

/** Each path of the routes once, with the methods that it answers to; none where one of its routes takes any. */
export function pathsOf(routes: readonly Pick<Route, 'path' | 'method'>[]): { path: string; methods: string[] }[] {
	return [...new Set(routes.map(({ path }) => path))].map((path) => {
		const methods = routes.filter((route) => route.path === path).map(({ method }) => method ?? '');
		return { path, methods: methods.includes('') ? [] : [...new Set(methods)] };
	});
}

export function requestOf(draft: Draft, version: number | null): NewTestCall {
	const query = new URLSearchParams(draft.query.filter(({ name }) => name !== '').map(({ name, value }) => [name, value])).toString();
	const headers = Object.fromEntries(draft.headers.filter(({ name }) => name !== '').map(({ name, value }) => [name.trim().toLowerCase(), value]));
	const text = draft.type !== '' && draft.type !== 'base64';
	if (text && headers['content-type'] === undefined) headers['content-type'] = draft.type;
	const places = placesOf(draft.route);
	const params = Object.fromEntries(places.filter((name) => name !== '*').map((name) => [name, draft.params[name] ?? '']));
	return {
		method: draft.method,
		path: pathOf(draft),
		...(query === '' ? {} : { query }),
		...(Object.keys(headers).length === 0 ? {} : { headers }),
		...(Object.keys(params).length === 0 ? {} : { params }),
		...(places.includes('*') ? { rest: draft.params['*'] ?? '' } : {}),
		...(text ? { body: draft.body } : {}),
		...(draft.type === 'base64' ? { body_base64: draft.body.replace(/\s+/g, '') } : {}),
		...(version === null ? {} : { version })
	};
}

/** What is wrong with a body before it is sent; null where nothing is. It may be sent all the same. */
export function bodyFault({ type, body }: Pick<Draft, 'type' | 'body'>): string | null {
	if (type === 'base64' && !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(body.replace(/\s+/g, ''))) return 'This is no base64.';
	if (type !== 'application/json' || body.trim() === '') return null;
	try {
		JSON.parse(body);
		return null;
	} catch (error) {
		return `This is no JSON: ${error instanceof Error ? error.message : 'it does not parse'}`;
	}
}

/** Headers that carry credentials are kept without their value: a browser's storage is no place for those. */
const SECRET = /authorization|cookie|token|secret|password|api-?key|signature/i;

export function withoutSecrets(draft: Draft): Draft {
	return { ...draft, headers: draft.headers.map(({ name, value }) => ({ name, value: SECRET.test(name) ? '' : value })) };
}

export interface Saved {
	name: string;
	draft: Draft;
}

const SAVED_MAX = 30;
const key = (script: string) => `picloud.requests.${script}`;

export function savedOf(script: string, storage: Pick<Storage, 'getItem'> = localStorage): Saved[] {
	try {
		const kept: unknown = JSON.parse(storage.getItem(key(script)) ?? '[]');
		if (!Array.isArray(kept)) return [];
		return kept.flatMap((one: Partial<Saved> | null): Saved[] =>
			typeof one?.name === 'string' && typeof one.draft === 'object' ? [{ name: one.name, draft: { ...emptyDraft(), ...one.draft } }] : []
		);
	} catch {
		return [];
	}
}

/** The list with one more, the newest first; one of the same name is replaced. */
export function withSaved(list: readonly Saved[], name: string, draft: Draft): Saved[] {
	return [{ name, draft: withoutSecrets(draft) }, ...list.filter((one) => one.name !== name)].slice(0, SAVED_MAX);
}

export function keepSaved(script: string, list: readonly Saved[], storage: Pick<Storage, 'setItem'> = localStorage): void {
	try {
		storage.setItem(key(script), JSON.stringify(list));
	} catch {
		// A storage that is full or switched off keeps nothing.
	}
}
