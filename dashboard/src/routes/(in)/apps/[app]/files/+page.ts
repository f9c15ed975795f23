import { reading } from '$lib/load';
import type { PageLoad } from './$types';

/** Until the server says otherwise. */
const BYTES_MAX = 16 << 20;

export const load: PageLoad = (event) => {
	const { app } = event.params;
	const collection = event.url.searchParams.get('collection');
	const prefix = event.url.searchParams.get('prefix') ?? '';
	return reading(event, async (api) => {
		const [files, limits] = await Promise.all([
			collection === null
				? null
				: api.get('/api/v1/admin/apps/{app}/files/{collection}', {
						path: { app, collection },
						query: { prefix: prefix === '' ? undefined : prefix }
					}),
			api.get('/api/v1/limits')
		]);
		const one = limits.items.find(({ name, level }) => name === 'file_bytes' && level === 'platform');
		return { collection, prefix, files, bytesMax: one?.ceiling ?? BYTES_MAX };
	});
};
