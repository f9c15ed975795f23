import { ifAllowed, reading } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) => {
	const { app, script } = event.params;
	const path = { script_id: script };
	const number = (name: string) => {
		const value = Number(event.url.searchParams.get(name));
		return Number.isInteger(value) && value > 0 ? value : null;
	};
	const asked = { after: number('version'), before: number('against') };
	return reading(event, async (api) => {
		const [versions, usedBy, members, difference] = await Promise.all([
			api.get('/api/v1/admin/scripts/{script_id}/versions', { path }),
			api.get('/api/v1/admin/scripts/{script_id}/used_by', { path }),
			ifAllowed(api.get('/api/v1/admin/apps/{app}/members', { path: { app } })),
			asked.after !== null && asked.before !== null
				? ifAllowed(
						api.get('/api/v1/admin/scripts/{script_id}/versions/{number}/diff', {
							path: { ...path, number: asked.after },
							query: { against: asked.before }
						})
					)
				: null
		]);
		return { versions, usedBy: usedBy.items, members: members?.items ?? [], difference, asked };
	});
};
