/**
 * The one client of the control plane (`/api/v1`). Same origin, cookie session; nothing of the credential is kept here.
 * Every failure, the network's included, is an `ApiError` that carries the API's envelope as it came.
 */

export type Fetch = typeof globalThis.fetch;

export interface Page<T> {
	items: T[];
	/** There when more items may follow; opaque. */
	cursor: string | null;
}

export interface User {
	id: string;
	username: string;
	role: 'owner' | 'admin' | 'member';
}

export interface App {
	id: string;
	slug: string;
	name: string;
	cors_origins: string[];
	/** `{slug}.{apps domain}`: where it answers on the data plane. */
	host: string;
	/** The same as a browser reaches it, without a slash at the end. */
	url: string;
	created_at: string;
	updated_at: string;
}

export interface Limits {
	fuel: number;
	memory_mb: number;
	timeout_ms: number;
}

export interface ScriptSummary {
	id: string;
	app_id: string;
	name: string;
	kind: 'endpoint' | 'module';
	description: string;
	version: number;
	digest: string;
	capabilities: string[];
	limits: Limits;
	created_at: string;
	updated_at: string;
}

export interface Script extends ScriptSummary {
	source: string;
}

export interface Route {
	id: string;
	app_id: string;
	script_id: string;
	path: string;
	/** Any method when null. */
	method: string | null;
	/** Any host of the app when null. */
	host: string | null;
	created_at: string;
}

export type Outcome =
	| 'responded'
	| 'completed'
	| 'script_failed'
	| 'fuel_exhausted'
	| 'memory_exceeded'
	| 'deadline_exceeded'
	| 'denied'
	| 'host_fault';

export interface Usage {
	fuel: number;
	memory_peak_bytes: number;
	host_calls: number;
	bytes_in: number;
	bytes_out: number;
	wall_us: number;
}

/** Why an invocation did not answer: where in the script, and the calls that led there, innermost first. */
export interface Failure {
	code: string;
	message: string;
	script?: string;
	line?: number;
	column?: number;
	calls?: { function: string; line?: number; column?: number }[];
}

export interface LogLine {
	at: string;
	level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
	message: string;
	/** What the script gave beside the message; a text where it was cut. */
	data?: unknown;
}

export interface Execution {
	id: string;
	app_id: string;
	script_id: string;
	version: number;
	request_id: string;
	outcome: Outcome;
	status: number;
	usage: Usage;
	error: Failure | null;
	started_at: string;
	/** Of one execution that was asked for by its id. */
	logs?: LogLine[];
	logs_dropped: number;
}

/** A refusal or failure of the API: the envelope's fields and the HTTP status (0 when no answer came). */
export class ApiError extends Error {
	override readonly name = 'ApiError';

	constructor(
		readonly status: number,
		readonly code: string,
		message: string,
		readonly request_id?: string,
		readonly details?: unknown
	) {
		super(message);
	}
}

/** Items of one page at most, as the API has it; for lists that are read in one go. */
const PAGE_ITEMS_MAX = 200;

/** All calls the dashboard makes. `fetch` is the page's, or a load function's own. */
export function client(fetch: Fetch) {
	const get = <T>(path: string) => call<T>(fetch, 'GET', path);
	const post = <T>(path: string, body?: unknown) => call<T>(fetch, 'POST', path, body);

	return {
		login: (username: string, password: string) =>
			post<{ user: User; expires_at: string }>('admin/auth/login', { username, password }),
		logout: () => post<void>('admin/auth/logout'),
		me: () => get<User>('admin/auth/me'),

		apps: (cursor?: string) => get<Page<App>>(`admin/apps${query({ cursor })}`),
		/** By id or slug. */
		app: (id: string) => get<App>(`admin/apps/${segment(id)}`),
		createApp: (slug: string, name: string) => post<App>('admin/apps', { slug, name }),

		scripts: (app: string, cursor?: string) => get<Page<ScriptSummary>>(`admin/scripts${query({ app, cursor })}`),
		script: (id: string) => get<Script>(`admin/scripts/${segment(id)}`),
		routes: (script: string) =>
			get<Page<Route>>(`admin/scripts/${segment(script)}/routes${query({ limit: String(PAGE_ITEMS_MAX) })}`),

		executions: (script: string, cursor?: string) =>
			get<Page<Execution>>(`admin/scripts/${segment(script)}/executions${query({ cursor })}`),
		/** With its logs. */
		execution: (id: string) => get<Execution>(`executions/${segment(id)}`)
	};
}

async function call<T>(fetch: Fetch, method: string, path: string, body?: unknown): Promise<T> {
	const headers: Record<string, string> = { accept: 'application/json' };
	const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store', redirect: 'error' };
	if (body !== undefined) {
		headers['content-type'] = 'application/json';
		init.body = JSON.stringify(body);
	}
	let response: Response;
	let text: string;
	try {
		response = await fetch(`/api/v1/${path}`, init);
		text = await response.text();
	} catch {
		throw new ApiError(0, 'unreachable', 'No answer from the server. Is it running, and is this device online?');
	}
	if (!response.ok) throw refusal(response.status, text, response.headers.get('x-request-id'));
	if (text === '') return undefined as T;
	try {
		return JSON.parse(text) as T;
	} catch {
		throw new ApiError(response.status, 'unreadable', `The answer to ${method} /api/v1/${path} is not JSON.`);
	}
}

/** Reads the envelope; an answer without one (a proxy's page, say) keeps its status and nothing more. */
export function refusal(status: number, text: string, request_id: string | null): ApiError {
	const id = request_id ?? undefined;
	let envelope: unknown;
	try {
		envelope = (JSON.parse(text) as { error?: unknown } | null)?.error;
	} catch {
		envelope = undefined;
	}
	if (typeof envelope === 'object' && envelope !== null) {
		const { code, message, request_id, details } = envelope as Record<string, unknown>;
		if (typeof code === 'string' && typeof message === 'string') {
			return new ApiError(status, code, message, typeof request_id === 'string' ? request_id : id, details);
		}
	}
	return new ApiError(status, `http_${status}`, `The server answered with status ${status} and no explanation.`, id);
}

/** `?a=b` of what is there, or nothing. */
export function query(parameters: Record<string, string | undefined>): string {
	const there = Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined);
	return there.length === 0 ? '' : `?${new URLSearchParams(there)}`;
}

/** One path segment. `.` and `..` cannot be escaped (URL parsers resolve `%2e` too), and no id is either of them. */
export function segment(text: string): string {
	if (text === '.' || text === '..') throw new ApiError(404, 'not_found', `"${text}" names nothing.`);
	return encodeURIComponent(text);
}
