// Requests to the server that the page came from.

// patience is how long an answer may take, in milliseconds.
const patience = 8000;

// A Refusal is an answer that is an error: the server works, but says no.
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retryAfter: number | null,
  ) {
    super(message);
  }
}

// ask gets JSON from a path beside the page, so that it works behind a proxy
// that serves Berry in a folder too. An answer that is not one of the accepted
// statuses is a Refusal; none at all is another error.
export async function ask<T>(path: string, token: string | null, accepted: number[] = [200]): Promise<T> {
  const headers = new Headers({ Accept: "application/json" });
  if (token !== null) headers.set("Authorization", `Bearer ${token}`);
  const answer = await fetch(path, { headers, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(patience) });
  if (!accepted.includes(answer.status)) {
    const wait = Number(answer.headers.get("Retry-After"));
    throw new Refusal(answer.status, await explanation(answer), wait > 0 ? wait : null);
  }
  return (await answer.json()) as T;
}

async function explanation(answer: Response): Promise<string> {
  try {
    const body = (await answer.json()) as { error?: { message?: string } };
    return body.error?.message ?? answer.statusText;
  } catch {
    return answer.statusText;
  }
}
