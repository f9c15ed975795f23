import { ApiError } from './error';

export type Value = string | number | boolean | null | undefined;

/** `/api/v1/admin/apps/{app}` with its parts, and `?a=b` of what is there. */
export function address(template: string, path: Record<string, Value> = {}, query: Record<string, Value> = {}): string {
	const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => segment(String(path[name] ?? '')));
	return filled + search(query);
}

/** `?a=b` of what is there, or nothing. */
export function search(parameters: Record<string, Value>): string {
	const there = Object.entries(parameters)
		.filter(([, value]) => value !== undefined && value !== null)
		.map(([name, value]): [string, string] => [name, String(value)]);
	return there.length === 0 ? '' : `?${new URLSearchParams(there)}`;
}

/** One path segment. `.` and `..` cannot be escaped (URL parsers resolve `%2e` too), and no id is either of them. */
export function segment(text: string): string {
	if (text === '' || text === '.' || text === '..') throw new ApiError(404, 'not_found', `"${text}" names nothing.`);
	return encodeURIComponent(text);
}
