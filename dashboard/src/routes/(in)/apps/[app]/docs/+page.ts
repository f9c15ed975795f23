import { orLater } from '$lib/collections/load';
import { reading } from '$lib/load';
import type { PageLoad } from './$types';

/** A filter that does not read is no refusal of the page: the list says what is wrong with it. */
export const load: PageLoad = (event) => {
	const { app } = event.params;
	const collection = event.url.searchParams.get('collection');
	const filter = event.url.searchParams.get('filter') ?? '';
	return reading(event, async (api) => ({
		collection,
		filter,
		documents:
			collection === null
				? null
				: await orLater(
						api.get('/api/v1/admin/apps/{app}/docs/{collection}', {
							path: { app, collection },
							query: { filter: filter === '' ? undefined : filter }
						})
					)
	}));
};
