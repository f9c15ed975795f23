/** How long an entry stays. Pure. */

export const units = [
	{ value: 's', label: 'seconds', seconds: 1 },
	{ value: 'min', label: 'minutes', seconds: 60 },
	{ value: 'h', label: 'hours', seconds: 3600 },
	{ value: 'd', label: 'days', seconds: 86_400 }
] as const;

export type Unit = (typeof units)[number]['value'];

export interface Span {
	many: number;
	unit: Unit;
}

export function seconds({ many, unit }: Span): number {
	return Math.round(many * (units.find(({ value }) => value === unit)?.seconds ?? 1));
}

/** What is left until a moment, in the largest unit that says it without a fraction; at least a second. */
export function left(until: string, now: number): Span {
	const total = Math.max(1, Math.ceil((Date.parse(until) - now) / 1000));
	const unit = units.findLast((unit) => total % unit.seconds === 0) ?? units[0];
	return { many: total / unit.seconds, unit: unit.value };
}
