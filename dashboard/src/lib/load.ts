import { error, redirect } from '@sveltejs/kit';
import { ApiError } from './api';
import { loginPath } from './path';

/** Awaits a call inside a load function: no session leads to the login page, any other refusal to the error page. */
export async function loaded<T>(url: URL, answer: Promise<T>): Promise<T> {
	try {
		return await answer;
	} catch (failure) {
		if (!(failure instanceof ApiError)) throw failure;
		if (failure.status === 401) redirect(307, loginPath(url));
		const { code, message, request_id, details } = failure;
		error(failure.status >= 400 ? failure.status : 503, {
			code,
			message,
			...(request_id === undefined ? {} : { request_id }),
			...(details === undefined ? {} : { details })
		});
	}
}
