import type { Limit, LimitLevel } from '$lib/api';
import { bytes, count, millis } from '$lib/format';

/** A bound as people read it: "1 MiB", "10 s", "50 G fuel". */
export function amount(value: number, unit: string): string {
	switch (unit) {
		case 'bytes':
			return bytes(value);
		case 'MiB':
			return bytes(value * 1024 * 1024);
		case 'ms':
			return millis(value);
		case 's':
			return millis(value * 1000);
		case '%':
			return `${value} %`;
		default:
			return `${count(value)} ${unit}`;
	}
}

/** Every digit, for the title. */
export function exactly(value: number, unit: string): string {
	return `${value.toLocaleString('en').replaceAll(',', '\u202f')} ${unit}`;
}

export const levels: readonly { level: LimitLevel; words: string }[] = [
	{ level: 'script', words: 'a script asks for it when it is published, within its app’s quota' },
	{ level: 'app', words: 'the app’s quota, which administrators of the instance set' },
	{ level: 'platform', words: 'the same for all' }
];

/** Those that a search and a level leave: every word stands in the name, the unit or what it is about. */
export function found(limits: readonly Limit[], text: string, level: LimitLevel | ''): Limit[] {
	const asked = text.toLowerCase().split(/\s+/).filter(Boolean);
	return limits.filter((limit) => {
		const words = `${limit.name} ${limit.name.replaceAll('_', ' ')} ${limit.unit} ${limit.about}`.toLowerCase();
		return (level === '' || limit.level === level) && asked.every((word) => words.includes(word));
	});
}
