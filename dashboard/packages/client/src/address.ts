/** One value of a parameter; what is `undefined` is left out. */
export type Value = string | number | boolean | undefined;
export type Query = Record<string, Value | readonly Value[]>;
export type Params = Record<string, string | number>;

/** The address that all paths are put behind, without a slash at its end. In a page, left out, its own origin. */
export function base(given: string | URL | undefined): string {
	const here = (globalThis as { location?: { href?: string; origin?: string } }).location;
	const text = given === undefined ? here?.origin : String(given);
	if (text === undefined) throw new TypeError('baseUrl is needed where there is no page: the address of the app');
	const url = new URL(text, here?.href);
	if (!/^https?:$/.test(url.protocol)) throw new TypeError(`baseUrl is no address of the web: ${text}`);
	return url.origin + url.pathname.replace(/\/+$/, '');
}

/** The whole address. `:name` segments of the path and its last `*` are taken from `params`, if any are given. */
export function address(to: string, path: string, params?: Params, query?: Query): string {
	if (!path.startsWith('/')) throw new TypeError(`a path begins with a slash: ${path}`);
	const url = new URL(to + (params === undefined ? path : filled(path, params)));
	for (const [name, values] of Object.entries(query ?? {})) {
		for (const value of Array.isArray(values) ? (values as Value[]) : [values as Value]) {
			if (value !== undefined) url.searchParams.append(name, String(value));
		}
	}
	return url.href;
}

function filled(path: string, params: Params): string {
	const given = (name: string): string => {
		const value = Object.hasOwn(params, name) ? params[name] : undefined;
		if (value === undefined) throw new TypeError(`${path} needs the parameter ${name}`);
		return String(value);
	};
	const parts = path.split('/').map((part) => {
		if (part === '*') return given('*').split('/').map(segment).join('/');
		return part.length > 1 && part.startsWith(':') ? segment(given(part.slice(1))) : part;
	});
	return parts.join('/');
}

/** One segment, that stays one: dots alone would be taken for a way up, and nothing for another path. */
export function segment(text: string): string {
	if (/^\.{0,2}$/.test(text)) throw new TypeError(`this cannot be a part of a path: ${JSON.stringify(text)}`);
	return encodeURIComponent(text);
}
