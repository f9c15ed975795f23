import { api, ApiError, type CheckedSource, type Script } from '$lib/api';
import { Asked } from '$lib/asked.svelte';
import { draftOf, keepDraft } from './draft';

/** A state of the script that is on the server, and its ETag. */
export interface Published {
	script: Script;
	etag: string | null;
}

const CHECK_AFTER_MS = 400;

/** A source that is being written: what it began with, what it is now, what the server says of it. */
export class Writing {
	readonly id: string;
	readonly kind: Script['kind'];
	base: Published = $state.raw({} as Published);
	text = $state('');
	/** Whether the text is a draft of before. */
	restored = $state(false);
	/** Somebody else's version, which a publication met. */
	met: Published | null = $state.raw(null);
	readonly checked = new Asked<CheckedSource>();
	/** The text that the last answer is about. */
	#checkedText: string | null = $state(null);

	constructor(published: Published) {
		this.id = published.script.id;
		this.kind = published.script.kind;
		this.base = published;
		const source = published.script.source ?? '';
		const draft = draftOf(this.id);
		this.restored = draft !== null && draft.source !== source;
		this.text = this.restored && draft !== null ? draft.source : source;
	}

	get dirty(): boolean {
		return this.text !== (this.base.script.source ?? '');
	}

	/** Whether what `checked` says is about the text as it is. */
	get current(): boolean {
		return this.#checkedText === this.text;
	}

	edit(text: string): void {
		this.text = text;
		keepDraft(this.id, this.dirty ? { source: text, version: this.base.script.version } : null);
		if (!this.dirty) this.restored = false;
		this.checked.soon(this.#ask, CHECK_AFTER_MS);
	}

	check = (): Promise<void> => this.checked.ask(this.#ask);

	/** The state of the server changed. What somebody is writing stays, and still begins with what it began with. */
	meet(published: Published): void {
		if (published.etag === this.base.etag) return;
		if (!this.dirty || published.script.source === this.base.script.source) this.adopt(published, this.dirty ? this.text : undefined);
	}

	/** What is written goes on from another state; its text becomes the text unless another is given. */
	adopt(published: Published, text = published.script.source ?? ''): void {
		this.base = published;
		this.met = null;
		this.text = text;
		this.restored = false;
		keepDraft(this.id, this.dirty ? { source: text, version: published.script.version } : null);
	}

	/** Publishes, or stores without activating. Null when somebody else was faster: then `met` has their version. */
	async publish(message: string, activate: boolean): Promise<Script | null> {
		const source = this.text;
		try {
			const { data, etag } = await api.answer('put', '/api/v1/admin/scripts/{script_id}', {
				path: { script_id: this.id },
				body: { source, message, activate },
				ifMatch: this.base.etag
			});
			if (activate) this.adopt({ script: { ...data, source }, etag }, this.text);
			return data;
		} catch (thrown) {
			if (!(thrown instanceof ApiError) || thrown.status !== 412) throw thrown;
			const { data, etag } = await api.answer('get', '/api/v1/admin/scripts/{script_id}', { path: { script_id: this.id } });
			this.met = { script: data, etag };
			return null;
		}
	}

	stop(): void {
		this.checked.stop();
	}

	#ask = async (signal: AbortSignal): Promise<CheckedSource> => {
		const source = this.text;
		const { name, kind } = this.base.script;
		const answer = await api.post('/api/v1/admin/scripts/check', { body: { source, kind, name }, signal });
		this.#checkedText = source;
		return answer;
	};
}
