import { reading } from '$lib/load';
import type { PageLoad } from './$types';

export const load: PageLoad = (event) =>
	reading(event, async (api) => ({ sessions: (await api.get('/api/v1/admin/auth/sessions')).items }));
