import { client } from '$lib/api';
import { loaded } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ fetch, url, untrack }) => ({
	apps: await loaded(
		untrack(() => url),
		client(fetch).apps()
	)
});
