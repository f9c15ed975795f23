/** A refusal or failure of the API: the envelope's fields and the HTTP status (0 when no answer came). */
export class ApiError extends Error {
	override readonly name = 'ApiError';

	constructor(
		readonly status: number,
		readonly code: string,
		message: string,
		readonly request_id?: string,
		readonly details?: unknown,
		/** How long the server asks to wait before the next try. */
		readonly retry_after_s?: number
	) {
		super(message);
	}

	/** The field of the body that is wrong, by its path (`limits.fuel`), where the API names one. */
	get field(): string | undefined {
		const field = this.detail('field');
		return typeof field === 'string' ? field : undefined;
	}

	/** One of the details by its name. */
	detail(name: string): unknown {
		const details = this.details;
		return typeof details === 'object' && details !== null ? (details as Record<string, unknown>)[name] : undefined;
	}
}

/** Reads the envelope; an answer without one (a proxy's page, say) keeps its status and nothing more. */
export function refusal(status: number, text: string, headers: Headers): ApiError {
	const id = headers.get('x-request-id') ?? undefined;
	const wait = retryAfter(headers.get('retry-after'));
	let envelope: unknown;
	try {
		envelope = (JSON.parse(text) as { error?: unknown } | null)?.error;
	} catch {
		envelope = undefined;
	}
	if (typeof envelope === 'object' && envelope !== null) {
		const { code, message, request_id, details } = envelope as Record<string, unknown>;
		if (typeof code === 'string' && typeof message === 'string') {
			return new ApiError(status, code, message, typeof request_id === 'string' ? request_id : id, details, wait);
		}
	}
	const words = `The server answered with status ${status} and no explanation.`;
	return new ApiError(status, `http_${status}`, words, id, undefined, wait);
}

/** Whole seconds; the form with a date is no API's of ours. */
function retryAfter(text: string | null): number | undefined {
	return text !== null && /^\d{1,7}$/.test(text) ? Number(text) : undefined;
}

/** Whatever was thrown, as something to show: what is no refusal of the API is a fault of the dashboard. */
export function asFailure(thrown: unknown): ApiError {
	if (thrown instanceof ApiError) return thrown;
	return new ApiError(0, 'dashboard_fault', thrown instanceof Error ? thrown.message : String(thrown));
}

/** Whether a request was given up by whoever made it: nothing to show then. */
export function isAborted(thrown: unknown): boolean {
	return thrown instanceof Error && thrown.name === 'AbortError';
}
