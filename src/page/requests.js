// Questions on their way and who waits for the answers.

/** So long may an answer take. Then the connection is as good as gone, whatever it says of itself. */
const PATIENCE = 10_000;

/** The server said no. */
export class Refused extends Error {
  constructor(message, code = '') {
    super(message);
    this.code = code;
  }
}

/** The connection went before the answer came. */
export class Interrupted extends Error {
  constructor() {
    super('the connection was lost');
  }
}

/** Requests that are told apart by an id or, where a dialect has none, answered in their order. */
export class Requests {
  #link;
  #write;
  #open = new Map();
  #lastId = 0;

  /** `write` makes the object to send, of what is asked, its fields and its id. */
  constructor(link, write) {
    this.#link = link;
    this.#write = write;
  }

  /** Asks, and returns the answer. */
  ask(what, fields) {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      if (!this.#link.send(JSON.stringify(this.#write(what, fields, id)))) {
        reject(new Interrupted());
        return;
      }
      const timer = setTimeout(() => this.#link.drop('no answer'), PATIENCE);
      this.#open.set(id, { what, fields, resolve, reject, timer });
    });
  }

  /** The request that is answered next, where answers come in order. */
  get first() {
    const [first] = this.#open;
    return first && { id: first[0], what: first[1].what, fields: first[1].fields };
  }

  resolve(id, answer) {
    this.#take(id)?.resolve(answer);
  }

  reject(id, error) {
    this.#take(id)?.reject(error);
  }

  /** Nothing that is open will be answered. */
  interrupt() {
    for (const id of [...this.#open.keys()]) this.reject(id, new Interrupted());
  }

  #take(id) {
    const request = this.#open.get(id);
    if (!request) return null;
    clearTimeout(request.timer);
    this.#open.delete(id);
    return request;
  }
}
