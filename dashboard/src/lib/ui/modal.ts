import { untrack } from 'svelte';

/**
 * Opens a `<dialog>` that was just made, above an inert page. When it is gone the focus goes back to where it was: the
 * browser does that for a dialog that is closed, not for one that is taken out.
 */
export function modal(dialog: HTMLDialogElement): () => void {
	const before = document.activeElement;
	untrack(() => dialog.showModal());
	return () => {
		if (before instanceof HTMLElement && before.isConnected) before.focus();
	};
}
