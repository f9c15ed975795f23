/** Light, dark, or as the system has it. Kept under `picloud-theme`, which static/theme.js reads before anything is drawn. */
export type ThemeChoice = 'system' | 'light' | 'dark';

const KEY = 'picloud-theme';

function kept(): ThemeChoice {
	const chosen = typeof document === 'undefined' ? undefined : document.documentElement.dataset['theme'];
	return chosen === 'light' || chosen === 'dark' ? chosen : 'system';
}

class Theme {
	choice: ThemeChoice = $state(kept());

	choose(choice: ThemeChoice): void {
		this.choice = choice;
		if (choice === 'system') delete document.documentElement.dataset['theme'];
		else document.documentElement.dataset['theme'] = choice;
		try {
			if (choice === 'system') localStorage.removeItem(KEY);
			else localStorage.setItem(KEY, choice);
		} catch {
			// Storage that is switched off: it holds until the page is loaded again.
		}
	}
}

export const theme = new Theme();
