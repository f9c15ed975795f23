import { REFUSAL_BYTES_MAX, RETRY_AFTER_SPREAD } from './limits.js';

/** What more is known of a failure. */
export interface Known {
	requestId?: string | undefined;
	executionId?: string | undefined;
	retryAfterMs?: number | undefined;
	details?: unknown;
	body?: unknown;
	cause?: unknown;
}

/**
 * A call or a subscription that failed: refused by the platform or by a script, or without an answer (`status` 0).
 *
 * `code` is the platform's word (`rate_limited`, `not_found`, …), `http_<status>` where a script answered with a status and a
 * body of its own, or one of this client's: `unreachable`, `timeout`, `stalled`, `invalid_answer`.
 */
export class PiCloudError extends Error {
	override readonly name = 'PiCloudError';
	/** Names the request in the platform's log. */
	readonly requestId: string | undefined;
	/** Names the execution, where a script ran or was to run. */
	readonly executionId: string | undefined;
	/** How long the server asks to wait before the next try. */
	readonly retryAfterMs: number | undefined;
	/** What the platform says beside its message. */
	readonly details: unknown;
	/** The answer's body where it is not the platform's: JSON as its value, anything else as text. */
	readonly body: unknown;

	constructor(
		readonly status: number,
		readonly code: string,
		message: string,
		{ requestId, executionId, retryAfterMs, details, body, cause }: Known = {}
	) {
		super(message, cause === undefined ? undefined : { cause });
		this.requestId = requestId;
		this.executionId = executionId;
		this.retryAfterMs = retryAfterMs;
		this.details = details;
		this.body = body;
	}
}

/** What names an answer. */
export function ids(headers: Headers): Pick<Known, 'requestId' | 'executionId'> {
	return { requestId: headers.get('x-request-id') ?? undefined, executionId: headers.get('picloud-execution-id') ?? undefined };
}

/** Reads what was answered instead of what was asked for. */
export async function refusal(response: Response, now: number): Promise<PiCloudError> {
	const { status, headers } = response;
	const text = await start(response);
	let body: unknown = text === '' ? undefined : text;
	try {
		body = JSON.parse(text);
	} catch {
		// It is no JSON: its text is all there is.
	}
	const known = { ...ids(headers), retryAfterMs: retryAfterMs(headers.get('retry-after'), now) };
	const error = field(body, 'error');
	const [code, message, id] = ['code', 'message', 'request_id'].map((name) => field(error, name));
	if (typeof code === 'string' && typeof message === 'string') {
		const requestId = typeof id === 'string' ? id : known.requestId;
		return new PiCloudError(status, code, message, { ...known, requestId, details: field(error, 'details') });
	}
	return new PiCloudError(status, `http_${status}`, `The answer is ${status}.`, { ...known, body });
}

/** No answer, or one that broke off. */
export function unreachable(cause: unknown): PiCloudError {
	return new PiCloudError(0, 'unreachable', 'The server was not reached, or the connection was lost.', { cause });
}

function field(value: unknown, name: string): unknown {
	return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** A body's text as far as the bound. */
async function start(response: Response): Promise<string> {
	const reader = response.body?.getReader();
	const decoder = new TextDecoder();
	let text = '';
	for (let left = REFUSAL_BYTES_MAX; reader !== undefined; ) {
		const { value, done } = await reader.read();
		if (done) break;
		text += decoder.decode(value.subarray(0, left), { stream: true });
		left -= value.length;
		if (left > 0) continue;
		// What a server does not want to end must not hold this one up.
		reader.cancel().catch(() => undefined);
		break;
	}
	return text + decoder.decode();
}

/** Seconds, or the date that some proxies say. */
export function retryAfterMs(text: string | null, now: number): number | undefined {
	if (text === null) return undefined;
	if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
	const at = Date.parse(text);
	return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** What a server asked for and a little more, by chance. */
export function spread(ms: number, random: number): number {
	return ms * (1 + RETRY_AFTER_SPREAD * random);
}
