/** The bounds of an app as rows. Pure. */
import type { AppQuota, Limit } from '$lib/api';
import { bytes, count, millis } from '$lib/format';

export type Bound = keyof AppQuota['quota'];

export interface Row {
	name: Bound;
	about: string;
	unit: string;
	value: number;
	/** Whether somebody set it for this app. */
	set: boolean;
	/** Null where the document of limits does not know it. */
	limit: Limit | null;
	used: number | null;
}

/** A figure in its unit: 1073741824 bytes are "1 GiB". */
export function inUnit(value: number, unit: string): string {
	if (/bytes/.test(unit)) return bytes(value);
	if (/^(ms|milliseconds)$/.test(unit)) return millis(value);
	return count(value);
}

/** Every bound with what is known of it, in the order of the document. */
export function rows({ quota, set, used }: AppQuota, limits: readonly Limit[]): Row[] {
	const known = new Map(limits.filter(({ level }) => level === 'app').map((limit) => [limit.name, limit]));
	const order = [...known.keys()];
	const stored: Partial<Record<Bound, number>> = { data_bytes: used.data_bytes, file_bytes: used.file_bytes };
	return (Object.keys(quota) as Bound[])
		.map((name) => {
			const limit = known.get(name) ?? null;
			return { name, about: limit?.about ?? '', unit: limit?.unit ?? '', value: quota[name], set: name in set, limit, used: stored[name] ?? null };
		})
		.sort((one, other) => order.indexOf(one.name) - order.indexOf(other.name));
}
