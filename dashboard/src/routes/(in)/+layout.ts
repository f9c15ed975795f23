import { client } from '$lib/api';
import { loaded } from '$lib/load';
import type { LayoutLoad } from './$types';

/** Who is logged in; read once, and again after a login. */
export const load: LayoutLoad = async ({ fetch, url, untrack }) => ({
	user: await loaded(
		untrack(() => url),
		client(fetch).me()
	)
});
