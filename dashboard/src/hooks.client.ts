import type { HandleClientError } from '@sveltejs/kit';

/** What is not a refusal of the API: an unknown page, or a fault of the dashboard itself. */
export const handleError: HandleClientError = ({ error, status }) => {
	if (status === 404) return { code: 'not_found', message: 'There is no such page.' };
	console.error(error);
	return { code: 'dashboard_fault', message: error instanceof Error ? error.message : String(error) };
};
