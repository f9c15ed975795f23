import { client } from '$lib/api';
import { loaded } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ fetch, params, url, untrack }) => {
	const here = untrack(() => url);
	const api = client(fetch);
	const app = await loaded(here, api.app(params.app));
	return { app, scripts: await loaded(here, api.scripts(app.id)) };
};
