/**
 * @file Events as OpenTok pages know them: `on`, `off` and `once` in all their forms.
 *
 * Handlers never run inside the stack of the page's own call: what a call leads to is dispatched by
 * {@link later}, what the server tells is dispatched from the socket's own task.
 */

/** @typedef {(...parts: any[]) => void} Handler */

/** An event, as handlers receive it. */
export class OTEvent {
  #prevented = false

  /**
   * @param {string} type
   * @param {Record<string, unknown>} [fields] further properties of the event
   * @param {boolean} [cancelable] whether it has a default action that can be prevented
   */
  constructor(type, fields = {}, cancelable = false) {
    this.type = type
    this.cancelable = cancelable
    /** @type {any} */
    this.target = null
    Object.assign(this, fields)
  }

  preventDefault() {
    if (this.cancelable) this.#prevented = true
  }

  isDefaultPrevented() {
    return this.#prevented
  }
}

/**
 * Runs `task` soon, after the caller's own stack and after everything passed here before.
 *
 * @param {() => void} task
 */
export function later(task) {
  queueMicrotask(() => guarded(task))
}

/**
 * Runs `task`; what it throws is reported, as the page's own error, and stops nothing else.
 *
 * @param {() => void} task
 */
export function guarded(task) {
  try {
    task()
  } catch (error) {
    if (typeof reportError === 'function') reportError(error)
    else console.error(error)
  }
}

/** Whatever pages can listen to. */
export class Events {
  /** @type {Map<string, { handler: Handler, context: any, once: boolean }[]>} */
  #handlers = new Map()

  /**
   * `on('name', handler, context?)`, `on('one two', handler, context?)` or `on({ one: handler }, context?)`.
   *
   * @param {string | Record<string, Handler>} names
   * @param {any} [handler]
   * @param {any} [context] `this` of the handler
   * @returns {this}
   */
  on(names, handler, context) {
    return this.#add(names, handler, context, false)
  }

  /**
   * The same forms as {@link on}; each handler runs at most once per name.
   *
   * @param {string | Record<string, Handler>} names
   * @param {any} [handler]
   * @param {any} [context]
   * @returns {this}
   */
  once(names, handler, context) {
    return this.#add(names, handler, context, true)
  }

  /**
   * `off()` forgets all handlers; a name, a handler and a context each narrow what is forgotten, and each may
   * be null or absent.
   *
   * @param {string | Record<string, Handler> | null} [names]
   * @param {any} [handler]
   * @param {any} [context]
   * @returns {this}
   */
  off(names, handler, context) {
    if (names !== null && typeof names === 'object') {
      for (const [name, each] of Object.entries(names)) this.#remove(name, each, handler)
      return this
    }
    const chosen = typeof names === 'string' ? split(names) : [...this.#handlers.keys()]
    for (const name of chosen) this.#remove(name, handler, context)
    return this
  }

  /** Old names of {@link on} and {@link off}. */
  /** @param {string} name @param {Handler} handler @param {any} [context] */
  addEventListener(name, handler, context) {
    return this.on(name, handler, context)
  }

  /** @param {string} name @param {Handler} handler @param {any} [context] */
  removeEventListener(name, handler, context) {
    return this.off(name, handler, context)
  }

  /**
   * Calls the handlers of `name` with `parts`.
   *
   * @param {string} name
   * @param {...any} parts
   * @returns {this}
   */
  trigger(name, ...parts) {
    for (const entry of [...(this.#handlers.get(name) ?? [])]) {
      // A handler that another one has just removed does not run any more.
      if (!this.#handlers.get(name)?.includes(entry)) continue
      if (entry.once) this.#filterHandlers(name, (other) => other !== entry)
      guarded(() => entry.handler.apply(entry.context ?? this, parts))
    }
    return this
  }

  /**
   * Gives `event` to the handlers of its type.
   *
   * @param {OTEvent} event
   * @param {string} [name] when it is not the event's type
   * @returns {this}
   */
  dispatchEvent(event, name = event.type) {
    event.target ??= this
    return this.trigger(name, event)
  }

  /** @param {string} name */
  hasHandlers(name) {
    return this.#handlers.has(name)
  }

  /**
   * @param {string | Record<string, Handler>} names
   * @param {any} handler
   * @param {any} context
   * @param {boolean} once
   */
  #add(names, handler, context, once) {
    if (typeof names === 'object') {
      for (const [name, each] of Object.entries(names)) this.#add(name, each, handler, once)
      return this
    }
    if (typeof handler !== 'function') return this
    for (const name of split(names)) {
      const entries = this.#handlers.get(name) ?? []
      entries.push({ handler, context, once })
      this.#handlers.set(name, entries)
    }
    return this
  }

  /**
   * @param {string} name
   * @param {any} handler
   * @param {any} context
   */
  #remove(name, handler, context) {
    this.#filterHandlers(
      name,
      (entry) =>
        (handler && entry.handler !== handler) || (context != null && entry.context !== context),
    )
  }

  /**
   * @param {string} name
   * @param {(entry: { handler: Handler, context: any }) => boolean} stays
   */
  #filterHandlers(name, stays) {
    const left = (this.#handlers.get(name) ?? []).filter(stays)
    if (left.length > 0) this.#handlers.set(name, left)
    else this.#handlers.delete(name)
  }
}

/** @param {string} names */
function split(names) {
  return names.split(/\s+/).filter(Boolean)
}
