import type { Role } from '$lib/api';

export const roles: readonly { role: Role; words: string }[] = [
	{ role: 'member', words: 'Reaches the apps that they are a member of.' },
	{ role: 'admin', words: 'Every app, and everybody but owners.' },
	{ role: 'owner', words: 'Everything, other owners included.' }
];

/** Whether somebody of this role may change somebody of that: an owner is changed by owners only. */
export function mayChange(mine: Role, theirs: Role): boolean {
	return mine === 'owner' || (mine === 'admin' && theirs !== 'owner');
}

/** The roles that somebody can give. */
export function given(mine: Role): typeof roles {
	return roles.filter(({ role }) => mayChange(mine, role));
}
