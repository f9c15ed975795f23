import { ApiError, refusal } from './error';

export interface Upload {
	signal?: AbortSignal;
	/** Between 0 and 1. */
	progress?: (part: number) => void;
	contentType?: string;
}

/** Sends a file and tells how far it is, which `fetch` cannot. `target` is from `address`. */
export function upload<T>(target: string, file: Blob, { signal, progress, contentType }: Upload = {}): Promise<T> {
	return new Promise((resolve, reject) => {
		const request = new XMLHttpRequest();
		request.open('POST', target);
		request.setRequestHeader('accept', 'application/json');
		request.setRequestHeader('content-type', contentType ?? (file.type || 'application/octet-stream'));
		request.upload.onprogress = (event) => progress?.(event.lengthComputable ? event.loaded / event.total : 0);
		request.onerror = () => reject(new ApiError(0, 'unreachable', 'The file did not reach the server.'));
		request.onabort = () => reject(new DOMException('given up', 'AbortError'));
		request.onload = () => {
			const headers = new Headers();
			for (const name of ['x-request-id', 'retry-after']) {
				const value = request.getResponseHeader(name);
				if (value !== null) headers.set(name, value);
			}
			if (request.status < 200 || request.status > 299) {
				reject(refusal(request.status, request.responseText, headers));
				return;
			}
			resolve((request.responseText === '' ? undefined : JSON.parse(request.responseText)) as T);
		};
		signal?.addEventListener('abort', () => request.abort());
		request.send(file);
	});
}
