import { error, redirect, type LoadEvent } from '@sveltejs/kit';
import { ApiError, client, type Client } from '$lib/api';
import { loginPath } from './path';

/**
 * Reads inside a load function. No session leads to the login page, any other refusal to the error page. The address is
 * not tracked: a load function that reads `url` itself runs again when it changes.
 */
export async function reading<T>(
	{ fetch, url, untrack }: Pick<LoadEvent, 'fetch' | 'url' | 'untrack'>,
	read: (api: Client) => Promise<T>
): Promise<T> {
	try {
		return await read(client(fetch));
	} catch (failure) {
		if (!(failure instanceof ApiError)) throw failure;
		if (failure.status === 401) redirect(307, loginPath(untrack(() => url)));
		const { code, message, request_id, details } = failure;
		error(failure.status >= 400 ? failure.status : 503, {
			code,
			message,
			...(request_id === undefined ? {} : { request_id }),
			...(details === undefined ? {} : { details })
		});
	}
}

/** What the caller may not read is shown as absent: null instead of a refusal (403, and 404 of what is not theirs). */
export async function ifAllowed<T>(answer: Promise<T>): Promise<T | null> {
	try {
		return await answer;
	} catch (failure) {
		if (failure instanceof ApiError && (failure.status === 403 || failure.status === 404)) return null;
		throw failure;
	}
}
