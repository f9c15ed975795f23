import type { Client, Me } from '$lib/api';
import { ifAllowed } from '$lib/load';
import { isAdmin } from '$lib/shell/destinations';

/** Names by id, as far as the caller may know them. */
export type Names = Readonly<Record<string, string>>;

/** The members of an app, oneself, and for who looks after the instance its people. */
export async function namesOf(api: Client, app: string, me: Pick<Me, 'id' | 'username' | 'role'>): Promise<Names> {
	const [members, users] = await Promise.all([
		ifAllowed(api.get('/api/v1/admin/apps/{app}/members', { path: { app }, query: { limit: 200 } })),
		isAdmin(me.role) ? ifAllowed(api.get('/api/v1/admin/users', { query: { limit: 200 } })) : null
	]);
	const names: Record<string, string> = { [me.id]: me.username };
	for (const { id, username } of users?.items ?? []) names[id] = username;
	for (const { user_id, username } of members?.items ?? []) names[user_id] = username;
	return names;
}

/** Who did something: a name, else the beginning of an id, else that nobody is known. */
export function who(id: string | null, names: Names): string {
	return id === null ? 'the operator, or somebody who is gone' : (names[id] ?? `${id.slice(0, 13)}…`);
}
