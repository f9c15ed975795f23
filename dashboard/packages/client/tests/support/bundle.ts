/** Rules and client as one script for a page, made by what builds the dashboard. */
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/** `entry` beside the tests. What it exports is `globalThis.rules` in the page. */
export async function bundled(entry: string): Promise<string> {
	const made = await build({
		configFile: false,
		logLevel: 'warn',
		build: {
			write: false,
			target: 'es2022',
			minify: false,
			lib: { entry: fileURLToPath(new URL(`../${entry}`, import.meta.url)), formats: ['iife'], name: 'rules' }
		}
	});
	const [first] = Array.isArray(made) ? made : [made];
	const chunk = first !== undefined && 'output' in first ? first.output[0] : undefined;
	if (chunk === undefined) throw new Error(`${entry} was not bundled`);
	return `${chunk.code}\nglobalThis.rules = rules;\n`;
}
