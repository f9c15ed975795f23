import type { App, Role } from '$lib/api';
import { appNav, appPath, instanceNav, meNav } from './nav';
import type { Command } from './palette.svelte';

/** Whether somebody sees the pages of the whole instance. */
export function isAdmin(role: Role | undefined): boolean {
	return role === 'owner' || role === 'admin';
}

/** The pages that one can go to from here. */
export function destinations(app: Pick<App, 'slug' | 'name'> | undefined, role: Role | undefined): Command[] {
	const found: Command[] = [];
	if (app !== undefined) {
		for (const { text, path, icon, also } of appNav.flatMap(({ items }) => items)) {
			const command: Command = { id: `page-${path}`, label: text, icon, group: app.name, href: appPath(app.slug, path) };
			found.push(also === undefined ? command : { ...command, hint: also });
		}
	}
	found.push({ id: 'page-apps', label: 'All apps', icon: 'apps', group: 'Elsewhere', href: '/' });
	const elsewhere = [...meNav, ...(isAdmin(role) ? instanceNav.map((item) => ({ ...item, hint: 'instance' })) : [])];
	for (const { text, href, icon, ...more } of elsewhere) {
		found.push({ id: `page-${href}`, label: text, icon, group: 'Elsewhere', href, ...more });
	}
	return found;
}
