import type { AppRole } from '$lib/api';

/** What a member may do in an app, in the order of how much. */
export const roles: readonly { value: AppRole; label: string; about: string }[] = [
	{ value: 'viewer', label: 'viewer', about: 'Looks, and changes nothing: scripts, routes, logs, usage.' },
	{ value: 'editor', label: 'editor', about: 'Besides: writes scripts and routes, and runs them.' },
	{
		value: 'app_admin',
		label: 'app admin',
		about: 'Everything in the app: members, grants, secrets, data, triggers, domains, export, and deleting the app.'
	}
];

/** The rights of each role, as the API's document has them. */
export const rights: readonly { scope: string; about: string; of: readonly AppRole[] }[] = [
	{ scope: 'script:read', about: 'see scripts, versions, routes, grants, members and domains', of: ['viewer', 'editor', 'app_admin'] },
	{ scope: 'log:read', about: 'see executions, logs, quota and usage', of: ['viewer', 'editor', 'app_admin'] },
	{ scope: 'script:write', about: 'make, publish, run and delete scripts', of: ['editor', 'app_admin'] },
	{ scope: 'route:write', about: 'make and delete routes', of: ['editor', 'app_admin'] },
	{ scope: 'domain:manage', about: 'claim, verify and release domains', of: ['app_admin'] },
	{
		scope: 'app:admin',
		about: 'change and delete the app; grants, members, secrets, data, triggers, queues, dead letters, audit, export',
		of: ['app_admin']
	}
];

export const labelOf = (role: AppRole): string => roles.find(({ value }) => value === role)?.label ?? role;
