import { reading } from '$lib/load';
import { namer, scriptsOf } from '$lib/triggers/scripts';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const path = { app: event.params.app };
	return reading(event, async (api) => {
		const [queues, scripts, consumers] = await Promise.all([
			api.get('/api/v1/admin/apps/{app}/queues', { path }),
			scriptsOf(api, path.app),
			api.get('/api/v1/admin/apps/{app}/triggers', { path, query: { kind: 'queue', limit: 200 } })
		]);
		const name = namer(scripts);
		return { queues, consumers: new Map(consumers.items.map(({ id, script_id }) => [id, name(script_id)])) };
	});
};
