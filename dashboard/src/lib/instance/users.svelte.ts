import { api, asFailure, type User } from '$lib/api';
import type { Paged } from '$lib/paged.svelte';
import { toasts } from '$lib/ui';

const one = (user: User) => ({ path: { user_id: user.id } });

/** What is done to a person of the list, and what of it is shown. */
export class People {
	constructor(readonly list: Paged<User>) {}

	put(user: User): void {
		this.list.put(user, ({ id }) => id === user.id);
	}

	async suspend(user: User): Promise<void> {
		this.put(await api.patch('/api/v1/admin/users/{user_id}', { ...one(user), body: { active: false } }));
		toasts.good(`${user.username} is suspended: no login, no key works.`, { label: 'Undo', run: () => this.enable(user) });
	}

	enable = async (user: User): Promise<void> => {
		try {
			this.put(await api.patch('/api/v1/admin/users/{user_id}', { ...one(user), body: { active: true } }));
			toasts.good(`${user.username} may log in again.`);
		} catch (thrown) {
			toasts.failed(asFailure(thrown));
		}
	};

	/** There is no operation for it: to be suspended ends every login and key, and does not come undone with it. */
	async endAll(user: User): Promise<void> {
		this.put(await api.patch('/api/v1/admin/users/{user_id}', { ...one(user), body: { active: false } }));
		this.put(await api.patch('/api/v1/admin/users/{user_id}', { ...one(user), body: { active: true } }));
		toasts.good(`All logins and keys of ${user.username} have ended.`);
	}

	async remove(user: User): Promise<void> {
		await api.delete('/api/v1/admin/users/{user_id}', one(user));
		this.list.remove(({ id }) => id === user.id);
		toasts.good(`${user.username} is gone.`);
	}
}
