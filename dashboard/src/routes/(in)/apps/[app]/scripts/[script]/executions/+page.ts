import { reading } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { script } = event.params;
	return reading(event, async (api) => ({
		executions: await api.get('/api/v1/admin/scripts/{script_id}/executions', { path: { script_id: script } })
	}));
};
