/**
 * What a client called itself, as a person would: "Firefox on Linux". Only a guess for the eye: the text itself is shown
 * on hover. A program's name is its first word.
 */
export function agentWords(agent: string | null): string {
	if (agent === null || agent.trim() === '') return 'A program without a name';
	const browser = browsers.find(([mark]) => mark.test(agent))?.[1];
	const system = systems.find(([mark]) => mark.test(agent))?.[1];
	if (browser !== undefined) return system === undefined ? browser : `${browser} on ${system}`;
	return agent.split(/\s/)[0]?.slice(0, 40) ?? agent;
}

// In this order: most browsers name others as well.
const browsers: readonly (readonly [RegExp, string])[] = [
	[/\bEdg(?:e|A|iOS)?\//, 'Edge'],
	[/\b(?:OPR|Opera)\//, 'Opera'],
	[/\bFirefox\/|\bFxiOS\//, 'Firefox'],
	[/\b(?:Headless)?Chrome\/|\bCriOS\/|\bChromium\//, 'Chrome'],
	[/\bSafari\//, 'Safari']
];

const systems: readonly (readonly [RegExp, string])[] = [
	[/\bAndroid\b/, 'Android'],
	[/\b(?:iPhone|iPad|iPod)\b/, 'iOS'],
	[/\bWindows\b/, 'Windows'],
	[/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
	[/\bCrOS\b/, 'ChromeOS'],
	[/\bLinux\b|\bX11\b/, 'Linux']
];
