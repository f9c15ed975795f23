import { reading } from '$lib/load';
import { isKind } from '$lib/triggers/kinds';
import { scriptsOf } from '$lib/triggers/scripts';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	const word = event.url.searchParams.get('kind');
	const query = { kind: isKind(word) ? word : undefined, script_id: event.url.searchParams.get('script') ?? undefined };
	return reading(event, async (api) => {
		const [triggers, scripts] = await Promise.all([
			api.get('/api/v1/admin/apps/{app}/triggers', { path: { app }, query: { ...query, limit: 100 } }),
			scriptsOf(api, app)
		]);
		return { triggers, scripts, query };
	});
};
