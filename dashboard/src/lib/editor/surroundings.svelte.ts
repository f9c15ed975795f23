import { api, type Script } from '$lib/api';
import type { Surroundings } from './assist';

/** The app's modules as the editor asks of them; a source is read once it is asked for, and there from then on. */
export class Modules implements Surroundings {
	readonly modules: readonly string[];
	readonly #ids: ReadonlyMap<string, string>;
	readonly #sources = new Map<string, string | null>();

	constructor(scripts: readonly Pick<Script, 'id' | 'name' | 'kind'>[]) {
		const modules = scripts.filter(({ kind }) => kind === 'module');
		this.modules = modules.map(({ name }) => name);
		this.#ids = new Map(modules.map(({ id, name }) => [name, id]));
	}

	source = (module: string): string | undefined => {
		const id = this.#ids.get(module);
		if (id === undefined) return undefined;
		if (!this.#sources.has(module)) {
			this.#sources.set(module, null);
			api.get('/api/v1/admin/scripts/{script_id}', { path: { script_id: id } }).then(
				({ source }) => this.#sources.set(module, source ?? ''),
				// Only completion misses it: asked again with the next key.
				() => this.#sources.delete(module)
			);
		}
		return this.#sources.get(module) ?? undefined;
	};
}
