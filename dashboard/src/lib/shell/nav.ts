import type { IconName } from '$lib/ui/icons';

export interface NavItem {
	text: string;
	/** Below the app's address; empty for its overview. */
	path: string;
	icon: IconName;
	/** Other words that lead there, for the palette. */
	also?: string;
}

/** The pages of an app, in the order of the navigation. */
export const appNav: readonly { title: string | null; items: readonly NavItem[] }[] = [
	{ title: null, items: [{ text: 'Overview', path: '', icon: 'overview', also: 'health' }] },
	{
		title: 'Build',
		items: [
			{ text: 'Scripts', path: 'scripts', icon: 'scripts', also: 'code functions modules' },
			{ text: 'Routes', path: 'routes', icon: 'routes', also: 'paths urls endpoints' },
			{ text: 'Domains', path: 'domains', icon: 'domains', also: 'hosts dns' },
			{ text: 'Triggers', path: 'triggers', icon: 'triggers', also: 'cron schedules events' },
			{ text: 'Deployments', path: 'deployments', icon: 'deployments', also: 'rollback preview split' }
		]
	},
	{
		title: 'Data',
		items: [
			{ text: 'KV', path: 'kv', icon: 'kv', also: 'key value entries' },
			{ text: 'Documents', path: 'docs', icon: 'docs', also: 'collections' },
			{ text: 'Files', path: 'files', icon: 'files', also: 'uploads' },
			{ text: 'Queues', path: 'queues', icon: 'queues', also: 'messages' },
			{ text: 'Topics', path: 'topics', icon: 'topics', also: 'messages pubsub realtime subscribe' },
			{ text: 'Secrets', path: 'secrets', icon: 'secrets', also: 'passwords tokens' }
		]
	},
	{
		title: 'Observe',
		items: [
			{ text: 'Executions & logs', path: 'executions', icon: 'executions', also: 'tail runs' },
			{ text: 'Dead letters', path: 'dead-letters', icon: 'letters', also: 'failed replay' },
			{ text: 'Usage & quota', path: 'usage', icon: 'usage', also: 'fuel memory charts limits' }
		]
	},
	{
		title: 'Manage',
		items: [
			{ text: 'Grants', path: 'grants', icon: 'grants', also: 'capabilities permissions' },
			{ text: 'Members', path: 'members', icon: 'members', also: 'people roles' },
			{ text: 'Audit', path: 'audit', icon: 'audit', also: 'history who' },
			{ text: 'Settings', path: 'settings', icon: 'settings', also: 'name slug cors export delete' }
		]
	}
];

/** Pages of one's own, and of the whole instance. */
export const meNav = [
	{ text: 'Profile', href: '/me', icon: 'user' },
	{ text: 'API keys', href: '/me/keys', icon: 'key' },
	{ text: 'Sessions', href: '/me/sessions', icon: 'system' }
] as const;

export const instanceNav = [
	{ text: 'Users', href: '/instance/users', icon: 'members' },
	{ text: 'Audit', href: '/instance/audit', icon: 'audit' },
	{ text: 'Nodes', href: '/instance/nodes', icon: 'node' },
	{ text: 'Limits', href: '/instance/limits', icon: 'limits' }
] as const;

/** An address inside an app: `appPath('shop', 'scripts', id)`. */
export function appPath(slug: string, ...parts: string[]): string {
	return ['/apps', slug, ...parts.filter((part) => part !== '')]
		.map((part, index) => (index === 0 ? part : encodeURIComponent(part)))
		.join('/');
}

/** The item that a page belongs to. */
export function itemAt(pathname: string): NavItem | undefined {
	const path = pathname.split('/')[3] ?? '';
	return appNav.flatMap(({ items }) => items).find((item) => item.path === path);
}

export interface Step {
	text: string;
	href: string;
}

interface Names {
	app?: { slug: string; name: string } | undefined;
	script?: { id: string; name: string } | undefined;
}

/** The way down to a page. A step's own pages add nothing: their tabs say where one is. */
export function trail(pathname: string, { app, script }: Names): Step[] {
	if (pathname.startsWith('/me')) return [{ text: 'You', href: '/me' }];
	if (pathname.startsWith('/instance')) return [{ text: 'Instance', href: '/instance' }];
	if (app === undefined || !pathname.startsWith('/apps/')) return [];
	const steps: Step[] = [{ text: app.name, href: appPath(app.slug) }];
	const item = itemAt(pathname);
	if (item === undefined || item.path === '') return steps;
	steps.push({ text: item.text, href: appPath(app.slug, item.path) });
	if (script !== undefined && item.path === 'scripts') {
		steps.push({ text: script.name, href: appPath(app.slug, 'scripts', script.id) });
	}
	return steps;
}
