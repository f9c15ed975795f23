import type { IconName } from '$lib/ui/icons';

export interface Command {
	/** Unique; a later one of the same id takes the place of the earlier. */
	id: string;
	/** "New route". */
	label: string;
	/** Beside it, and searched too: "POST /users". */
	hint?: string;
	icon?: IconName;
	/** Keys that run it without the palette: `n`, `mod+s`. Shown in the help of `?`. */
	keys?: string;
	group?: string;
	/** Where it leads, or what it does. */
	href?: string;
	run?: () => unknown;
}

/**
 * What can be done from the keyboard. Pages register what they offer while they are there:
 * `$effect(() => palette.register({ id: 'new-route', label: 'New route', keys: 'n', run: open }))`.
 */
class Palette {
	open = $state(false);
	/** Apps alone: the app switcher. */
	only: 'apps' | null = $state(null);
	/** The help of all keys. */
	help = $state(false);
	#sets: readonly (readonly Command[])[] = $state.raw([]);

	get commands(): Command[] {
		const byId = new Map<string, Command>();
		for (const command of this.#sets.flat()) byId.set(command.id, command);
		return [...byId.values()];
	}

	/** Until the function that it returns is called. */
	register(...commands: Command[]): () => void {
		// Not read as state: an effect that registers must not run again because of it.
		this.#list.add(commands);
		this.#sync();
		return () => {
			this.#list.delete(commands);
			this.#sync();
		};
	}

	show(only: 'apps' | null = null): void {
		this.help = false;
		this.only = only;
		this.open = true;
	}

	#list = new Set<readonly Command[]>();

	#sync(): void {
		this.#sets = [...this.#list];
	}
}

export const palette = new Palette();
