import { getContext, setContext } from 'svelte';

const KEY = Symbol('heading');

/** Which heading comes next here: a page has its h1, so h2; inside a section one deeper. */
export function headingHere(): 'h2' | 'h3' | 'h4' {
	return getContext<'h2' | 'h3' | 'h4' | undefined>(KEY) ?? 'h2';
}

/** What is inside comes one deeper. */
export function headingInside(here: 'h2' | 'h3' | 'h4'): void {
	setContext(KEY, here === 'h2' ? 'h3' : 'h4');
}
