/** The API as any program uses it: what a test needs to be there before it looks at pages. */
export class Api {
	constructor(
		readonly base: string,
		readonly token: string
	) {}

	static async login(base: string, username: string, password: string): Promise<Api> {
		const { token } = await new Api(base, '').send<{ token: string }>('POST', '/admin/auth/login', { username, password });
		return new Api(base, token);
	}

	get = <T = Thing>(path: string) => this.send<T>('GET', path);
	post = <T = Thing>(path: string, body?: unknown) => this.send<T>('POST', path, body);
	put = <T = Thing>(path: string, body?: unknown) => this.send<T>('PUT', path, body);
	patch = <T = Thing>(path: string, body?: unknown) => this.send<T>('PATCH', path, body);
	delete = (path: string) => this.send<undefined>('DELETE', path);

	/** A file of an app. */
	async upload(app: string, collection: string, name: string, type: string, content: string): Promise<void> {
		const query = `?name=${encodeURIComponent(name)}`;
		await this.send('POST', `/admin/apps/${app}/files/${collection}${query}`, content, type);
	}

	async send<T>(method: string, path: string, body?: unknown, type = 'application/json'): Promise<T> {
		const headers: Record<string, string> = {};
		if (this.token !== '') headers['authorization'] = `Bearer ${this.token}`;
		if (body !== undefined) headers['content-type'] = type;
		const text = body === undefined ? null : type === 'application/json' ? JSON.stringify(body) : String(body);
		const answer = await fetch(`${this.base}/api/v1${path}`, { method, headers, body: text });
		const got = await answer.text();
		if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${got}`);
		return (got === '' ? undefined : JSON.parse(got)) as T;
	}
}

/** What every made thing has. */
export interface Thing {
	id: string;
	[field: string]: unknown;
}
