import { reading } from '$lib/load';
import type { PageLoad } from './$types';

/** The nodes there are; what the one that answers does now, and what it is. */
export const load: PageLoad = (event) =>
	reading(event, async (api) => {
		const [{ items: nodes }, node, version] = await Promise.all([api.get('/api/v1/admin/nodes'), api.get('/api/v1/admin/node'), api.get('/version')]);
		return { nodes, node, version };
	});
