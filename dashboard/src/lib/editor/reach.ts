/** What a source reaches, held against what its app has. Pure. */

/** Capabilities of which the app's grants let nothing through. What is no list of the grants needs none. */
export function notGranted(capabilities: readonly string[], grants: Readonly<Record<string, readonly string[]>> | null): string[] {
	if (grants === null) return [];
	return capabilities.filter((capability) => grants[capability]?.length === 0);
}

/** Imports of which the app has no module. */
export function missing(imports: readonly string[], modules: readonly string[]): string[] {
	return imports.filter((name) => !modules.includes(name));
}
