import { client } from '$lib/api';
import { loaded } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ fetch, params, url, untrack }) => {
	const here = untrack(() => url);
	const api = client(fetch);
	const reading = Promise.all([api.script(params.script), api.routes(params.script), api.executions(params.script)]);
	const [script, routes, executions] = await loaded(here, reading);
	return { script, routes, executions, app: await loaded(here, api.app(script.app_id)) };
};
