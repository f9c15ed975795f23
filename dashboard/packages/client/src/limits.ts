/** Every bound of this client, with its unit. */

/** A call and all its tries, waits and bytes: how long it may take where nothing is said, and at most. */
export const TIMEOUT_MS_DEFAULT = 60_000;
export const TIMEOUT_MS_MAX = 600_000;
/** How often a call that was refused for now is tried again where nothing is said, and at most. */
export const RETRIES_DEFAULT = 2;
export const RETRIES_MAX = 5;
/** The wait before the first and before any later try of a call, at most, where the server says nothing. */
export const RETRY_MS_MIN = 250;
export const RETRY_MS_MAX = 5_000;
/** What the server asks to wait, at most: a call that is told a longer wait is not tried again, a subscription waits this long. */
export const RETRY_AFTER_MS_MAX = 300_000;
/** A wait that the server asked for is made longer by up to this part of it, so that not all come back at the same moment. */
export const RETRY_AFTER_SPREAD = 0.25;
/** What is read of a refusal. The rest of a larger one is left. */
export const REFUSAL_BYTES_MAX = 64 << 10;

/** The wait before a lost subscription connects again, at most: after the first failure, and after many. */
export const BACKOFF_MS_MIN = 1_000;
export const BACKOFF_MS_MAX = 30_000;
/** A stream that is silent for this long is lost. The server says something every 15 s. */
export const QUIET_MS = 45_000;
/** A stream that lasted this long was a good one, also if nothing came: failures before it are forgotten. */
export const STEADY_MS = 30_000;
/** One line of a stream, and the data of one event, in UTF-16 units. A message is 256 KiB at most. */
export const LINE_CHARS_MAX = 1 << 20;
export const EVENT_CHARS_MAX = 1 << 20;
