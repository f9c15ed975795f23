/** Where the bars of host calls stand, as parts of the whole run. Pure. */

export interface Bar {
	/** Both in percent. */
	x: number;
	width: number;
}

/** The end of the scale: the run, or what is told of it where a call ends later. */
export function spanOf(calls: readonly { began_us: number; took_us: number }[], wall_us: number): number {
	return Math.max(1, wall_us, ...calls.map(({ began_us, took_us }) => began_us + took_us));
}

/** Even the shortest call is seen: half a percent, inside the frame. */
export function barOf({ began_us, took_us }: { began_us: number; took_us: number }, span: number): Bar {
	const width = Math.min(100, Math.max(0.5, (took_us / span) * 100));
	return { x: Math.min((began_us / span) * 100, 100 - width), width };
}
