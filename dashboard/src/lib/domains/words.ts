/** Domains in words. Pure. */
import type { Domain, DomainProofMethod } from '$lib/api';

export function proven(method: DomainProofMethod | null): string {
	switch (method) {
		case 'dns':
			return 'by the DNS';
		case 'http':
			return 'over HTTP';
		case 'operator':
			return 'by the operator’s word';
		default:
			return 'not yet';
	}
}

/** What to do where a proof was not found, besides what the answer says. */
export function hint(method: DomainProofMethod, code: string): string | null {
	if (code === 'domain_taken') return 'Another app has proven this name. It must release it first.';
	if (code !== 'not_proven') return null;
	if (method === 'dns') return 'Name servers take over a new record within its time to live, often some minutes. The record stays of use: verify again then.';
	if (method === 'http') return 'The address must answer with status 200 and the token alone, without a redirect, wherever the name leads now.';
	return null;
}

/** What is wrong with a name, told while one types. The server has the last word. */
export function hostFault(host: string): string | undefined {
	const name = host.trim();
	if (name === '') return undefined;
	if (/^[a-z]+:\/\//i.test(name)) return 'A name alone, without https://.';
	if (/[/?#]/.test(name)) return 'A name alone, without a path.';
	if (/:\d*$/.test(name)) return 'Without a port.';
	if (name.includes('*') && !/^\*\.[^*]+$/.test(name)) return '* stands for one label, at the beginning: *.example.com.';
	if (!name.replace(/^\*\./, '').includes('.')) return 'A name of two labels at least: example.com.';
	return undefined;
}

export function isWildcard({ host }: Pick<Domain, 'host'>): boolean {
	return host.startsWith('*.');
}
