// The reader's choice, before anything is drawn: a file of its own because the policy knows no other inline script.
try {
	var chosen = localStorage.getItem('picloud-theme');
	if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
} catch (refused) {
	// Storage that is switched off: the system decides.
}
