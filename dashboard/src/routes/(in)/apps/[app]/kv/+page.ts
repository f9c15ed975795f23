import { reading } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app } = event.params;
	const collection = event.url.searchParams.get('collection');
	const prefix = event.url.searchParams.get('prefix') ?? '';
	return reading(event, async (api) => ({
		collection,
		prefix,
		entries:
			collection === null
				? null
				: await api.get('/api/v1/admin/apps/{app}/kv/{collection}', {
						path: { app, collection },
						query: { prefix: prefix === '' ? undefined : prefix }
					})
	}));
};
