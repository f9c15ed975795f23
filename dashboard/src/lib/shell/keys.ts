/** Keys as texts: `mod+k`, `shift+?`, `g a` is not one (no sequences). Pure. */

/** `mod` is ⌘ on a Mac and Ctrl elsewhere. */
export function keyLabels(keys: string, mac: boolean): string[] {
	const names: Record<string, string> = {
		mod: mac ? '⌘' : 'Ctrl',
		shift: mac ? '⇧' : 'Shift',
		alt: mac ? '⌥' : 'Alt',
		enter: '↵',
		escape: 'Esc',
		up: '↑',
		down: '↓'
	};
	return keys.split('+').map((key) => names[key.toLowerCase()] ?? (key.length === 1 ? key.toUpperCase() : key));
}

export interface Pressed {
	key: string;
	ctrlKey: boolean;
	metaKey: boolean;
	altKey: boolean;
	shiftKey: boolean;
}

/** Whether a press is these keys. Shift counts only for letters: `?` is Shift and something on most keyboards. */
export function isPressed(event: Pressed, keys: string, mac: boolean): boolean {
	const parts = keys.toLowerCase().split('+');
	const key = parts.at(-1) ?? '';
	const mod = parts.includes('mod');
	const shift = parts.includes('shift');
	if (event.key.toLowerCase() !== key) return false;
	if ((mac ? event.metaKey : event.ctrlKey) !== mod || (mac ? event.ctrlKey : event.metaKey)) return false;
	if (event.altKey !== parts.includes('alt')) return false;
	return /^[a-z]$/.test(key) ? event.shiftKey === shift : true;
}

/** Keys without a modifier belong to whoever types. */
export function isTyping(target: EventTarget | null): boolean {
	if (!(target instanceof HTMLElement)) return false;
	return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}
