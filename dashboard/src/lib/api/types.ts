/** What the generated schema says of an operation, as the client needs it. */
import type { paths } from './schema';
import type { Value } from './path';

export type Method = 'get' | 'put' | 'post' | 'patch' | 'delete';

/** The paths that have this method. */
export type PathOf<M extends Method> = {
	[P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];

export type OperationOf<M extends Method, P extends PathOf<M>> = paths[P] extends Record<M, infer O> ? O : never;

type Parameters<O, Place extends 'path' | 'query'> = O extends { parameters: { [K in Place]?: infer Q } }
	? Exclude<Q, undefined>
	: never;

/** Left out and `undefined` are one: a filter that is not set. */
type Loose<Q> = { [K in keyof Q]: Q[K] | (undefined extends Q[K] ? undefined : never) };

type PathOption<O> = [Parameters<O, 'path'>] extends [never]
	? { path?: never }
	: { path: { [K in keyof Parameters<O, 'path'>]: Parameters<O, 'path'>[K] & Value } };

type QueryOption<O> = [Parameters<O, 'query'>] extends [never]
	? { query?: never }
	: Record<never, never> extends Parameters<O, 'query'>
		? { query?: Loose<Parameters<O, 'query'>> }
		: { query: Loose<Parameters<O, 'query'>> };

/** What goes out as it is. */
export type Bytes = Blob | ArrayBuffer | Uint8Array<ArrayBuffer>;

type BodyOption<O> = O extends { requestBody: { content: infer C } }
	? C extends { 'application/json': infer B }
		? { body: B }
		: { bytes: Bytes }
	: O extends { requestBody?: { content: infer C } }
		? C extends { 'application/json': infer B }
			? { body?: B }
			: { bytes?: Bytes }
		: { body?: never };

export interface Always {
	/** Gives the request up. */
	signal?: AbortSignal | undefined;
	/** The `ETag` of the state that the write is meant for; without one, whatever it is now. */
	ifMatch?: string | null | undefined;
	/** Of a POST: done once only, however often it is sent. */
	once?: string | undefined;
	/** Of `bytes`; a Blob brings its own. */
	contentType?: string | undefined;
}

export type OptionsOf<M extends Method, P extends PathOf<M>> = Always &
	PathOption<OperationOf<M, P>> &
	QueryOption<OperationOf<M, P>> &
	BodyOption<OperationOf<M, P>>;

/** Options may be left out where none is needed. */
export type Arguments<M extends Method, P extends PathOf<M>> =
	Always extends OptionsOf<M, P> ? [options?: OptionsOf<M, P>] : [options: OptionsOf<M, P>];

type Answered<R> = R extends { content: { 'application/json': infer T } } ? T : undefined;

/** What it answers when it succeeds; `undefined` where that has no body. */
export type AnswerOf<M extends Method, P extends PathOf<M>> =
	OperationOf<M, P> extends { responses: infer R } ? { [S in keyof R]: Answered<R[S]> }[keyof R] : never;

/** An answer with what its headers say. */
export interface Answer<T> {
	data: T;
	status: number;
	/** For `ifMatch` of a later write; null where the thing has none. */
	etag: string | null;
	headers: Headers;
}

/** A page of a list. */
export interface Page<T> {
	items: T[];
	/** There when more items may follow; opaque. */
	cursor: string | null;
}
