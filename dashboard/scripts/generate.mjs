// Writes `src/lib/api/schema.ts` from the API's document. With `--check` it only says whether that file is up to date.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

const source = new URL('../../host/openapi.json', import.meta.url);
const target = new URL('../src/lib/api/schema.ts', import.meta.url);

const HEAD = `/**
 * The shapes of the API. Made from host/openapi.json by \`npm run generate\`: not to be edited.
 */
`;

/** Types need neither examples nor what is the same everywhere: refusals and headers of answers. */
function bare(value) {
	if (Array.isArray(value)) return value.map(bare);
	if (value === null || typeof value !== 'object') return value;
	const entries = Object.entries(value).filter(([name]) => name !== 'example' && name !== 'examples' && !name.startsWith('x-'));
	const kept = Object.fromEntries(entries.map(([name, inner]) => [name, bare(inner)]));
	if (kept.responses !== undefined && typeof kept.operationId === 'string') {
		const answers = Object.entries(kept.responses).filter(([status]) => status.startsWith('2'));
		kept.responses = Object.fromEntries(answers.map(([status, answer]) => [status, { ...answer, headers: undefined }]));
	}
	// What all variants have stands beside them in the document; of the two, the generator would make alternatives.
	if (kept.anyOf !== undefined && kept.properties !== undefined) {
		const { anyOf, properties, required, type, ...rest } = kept;
		return { ...rest, allOf: [{ type, properties, required }, { anyOf }] };
	}
	return kept;
}

const document = bare(JSON.parse(await readFile(source, 'utf8')));
for (const part of ['responses', 'headers', 'securitySchemes']) delete document.components[part];
const nodes = await openapiTS(document, {
	// A field with a default may be left out of what is sent.
	defaultNonNullable: false,
	rootTypes: true,
	rootTypesNoSchemaPrefix: true
});
const made = HEAD + astToString(nodes);

if (process.argv.includes('--check')) {
	const kept = await readFile(target, 'utf8').catch(() => '');
	if (kept !== made) {
		console.error('src/lib/api/schema.ts is not what host/openapi.json says: run `npm run generate`.');
		process.exit(1);
	}
	console.log('src/lib/api/schema.ts is up to date');
} else {
	await writeFile(target, made);
	console.log(`${fileURLToPath(target)}: ${made.split('\n').length} lines`);
}
