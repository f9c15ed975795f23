/** As the server has it; the server has the last word. */
export const PASSWORD_CHARS_MIN = 12;

// No letters that are mistaken for another: l and 1, O and 0.
const LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789';
const GROUPS = 5;
const GROUP = 5;

/**
 * A first password to be told to somebody: five groups of five, about 123 bits. `random` fills bytes, as
 * `crypto.getRandomValues` does.
 */
export function firstPassword(random: (bytes: Uint8Array<ArrayBuffer>) => unknown): string {
	const chosen: string[] = [];
	const bytes = new Uint8Array(64);
	// Bytes past the last whole multiple are thrown away: else the first letters would come more often.
	const below = 256 - (256 % LETTERS.length);
	while (chosen.length < GROUPS * GROUP) {
		random(bytes);
		for (const byte of bytes) {
			const letter = LETTERS[byte % LETTERS.length];
			if (byte < below && letter !== undefined && chosen.length < GROUPS * GROUP) chosen.push(letter);
		}
	}
	return Array.from({ length: GROUPS }, (_, group) => chosen.slice(group * GROUP, (group + 1) * GROUP).join('')).join('-');
}
