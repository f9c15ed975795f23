import type { Scope } from '$lib/api';

/** The scopes in the order of what they open, with what each opens in words. */
export const scopes: readonly { scope: Scope; opens: string }[] = [
	{ scope: 'script:read', opens: 'Read apps, scripts, versions, routes, grants, members and domains.' },
	{ scope: 'script:write', opens: 'Make, publish and delete scripts, and run them.' },
	{ scope: 'route:write', opens: 'Make and delete routes.' },
	{ scope: 'domain:manage', opens: 'Claim, verify and release domains.' },
	{ scope: 'log:read', opens: 'Read executions, logs, usage and quotas.' },
	{
		scope: 'app:admin',
		opens: 'Everything else of an app: data, files, secrets, triggers, dead letters, grants, members, deletion.'
	},
	{ scope: 'instance:admin', opens: 'Apps, quotas and people of the whole instance. Never bound to one app.' }
];

/** What a key can be given here: the scope of the whole instance only by who has it, and only to a key for every app. */
export function offered(admin: boolean, bound: boolean): typeof scopes {
	return scopes.filter(({ scope }) => scope !== 'instance:admin' || (admin && !bound));
}
