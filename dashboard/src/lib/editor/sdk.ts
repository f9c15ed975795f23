/** The script reference as the editor asks it. The data is `npm run sdk`'s, from guest/README.md. */
import data from './sdk.json';

export interface SdkFunction {
	name: string;
	/** `(key, value)`; one for each way to call it. */
	signatures: string[];
	/** Code stands between back ticks. */
	text: string;
	/** What its arguments may be. */
	bounds: string[];
	example?: string;
}

export interface SdkModule {
	name: string;
	text: string;
	functions: SdkFunction[];
	/** Of a collection's handle. */
	methods: SdkFunction[];
	/** Keys of the map that its functions take. */
	options: { name: string; text: string }[];
}

export interface SdkField {
	/** Below `ctx`: `request.body`. */
	path: string;
	text: string;
}

export const modules: readonly SdkModule[] = data.modules;
export const fields: readonly SdkField[] = data.ctx;
export const errors: readonly { code: string; text: string }[] = data.errors;

export function moduleNamed(name: string): SdkModule | undefined {
	return modules.find((module) => module.name === name);
}

/** `kv::get`: a function of a module. */
export function functionNamed(module: string, name: string): SdkFunction | undefined {
	return moduleNamed(module)?.functions.find((one) => one.name === name);
}

/** Methods of a collection: of the module's where it is known, else of all that have one. */
export function methodsOf(module: string | null): { module: string; method: SdkFunction }[] {
	return modules
		.filter(({ name }) => module === null || name === module)
		.flatMap(({ name, methods }) => methods.map((method) => ({ module: name, method })));
}

/** The fields one step below a path of `ctx`: of `` its own, of `request` what a request has. */
export function fieldsBelow(path: string): { name: string; text: string }[] {
	const prefix = path === '' ? '' : `${path}.`;
	const found = new Map<string, string>();
	for (const field of fields) {
		if (!field.path.startsWith(prefix)) continue;
		const [name = '', ...deeper] = field.path.slice(prefix.length).split('.');
		if (deeper.length === 0) found.set(name, field.text);
		else if (!found.has(name)) found.set(name, '');
	}
	return [...found].map(([name, text]) => ({ name, text }));
}

export function fieldAt(path: string): SdkField | undefined {
	return fields.find((field) => field.path === path);
}
