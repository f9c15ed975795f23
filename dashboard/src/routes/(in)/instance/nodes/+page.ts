import { reading } from '$lib/load';
import type { PageLoad } from './$types';

/** What the node that answers does now, and what it is. */
export const load: PageLoad = (event) =>
	reading(event, async (api) => {
		const [node, version] = await Promise.all([api.get('/api/v1/admin/node'), api.get('/version')]);
		return { node, version };
	});
