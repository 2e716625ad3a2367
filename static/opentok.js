"use strict";
(() => {
  // js/opentok/arguments.js
  function publisherArguments(given) {
    const [first, second, third] = given;
    const afterKey = typeof second === "string" || isElement(second) || second == null && isProperties(third);
    const isKey = typeof first === "number" || typeof first === "string" && afterKey;
    return widgetArguments(isKey ? given.slice(1) : given);
  }
  function widgetArguments(given) {
    const rest = [...given];
    const at = rest.findIndex((each) => typeof each === "function");
    const callback = at < 0 ? void 0 : rest[at];
    if (at >= 0) rest.length = at;
    const [first, second] = rest;
    if (isProperties(first) && second === void 0) {
      return { target: void 0, properties: { ...first }, callback };
    }
    return { target: first, properties: isProperties(second) ? { ...second } : {}, callback };
  }
  function connectArguments(given) {
    const rest = [...given];
    const last = rest.at(-1);
    const callback = typeof last === "function" ? rest.pop() : void 0;
    const [first, second] = rest;
    const hasKey = typeof second === "string" && ["string", "number"].includes(typeof first);
    return hasKey ? { apiKey: String(first), token: second, callback } : { apiKey: void 0, token: first, callback };
  }
  function sessionArguments(given) {
    const [first, second, options] = given;
    if (typeof second === "string") return { apiKey: String(first ?? ""), sessionId: second, options };
    return { apiKey: void 0, sessionId: first };
  }
  function isElement(value) {
    return typeof value === "object" && value?.nodeType === 1;
  }
  function isProperties(value) {
    return typeof value === "object" && value !== null && !isElement(value);
  }

  // js/opentok/events.js
  var OTEvent = class {
    #prevented = false;
    /**
     * @param {string} type
     * @param {Record<string, unknown>} [fields] further properties of the event
     * @param {boolean} [cancelable] whether it has a default action that can be prevented
     */
    constructor(type, fields = {}, cancelable = false) {
      this.type = type;
      this.cancelable = cancelable;
      this.target = null;
      Object.assign(this, fields);
    }
    preventDefault() {
      if (this.cancelable) this.#prevented = true;
    }
    isDefaultPrevented() {
      return this.#prevented;
    }
  };
  function later(task) {
    queueMicrotask(() => guarded(task));
  }
  function guarded(task) {
    try {
      task();
    } catch (error) {
      if (typeof reportError === "function") reportError(error);
      else console.error(error);
    }
  }
  var Events = class {
    /** @type {Map<string, { handler: Handler, context: any, once: boolean }[]>} */
    #handlers = /* @__PURE__ */ new Map();
    /**
     * `on('name', handler, context?)`, `on('one two', handler, context?)` or `on({ one: handler }, context?)`.
     *
     * @param {string | Record<string, Handler>} names
     * @param {any} [handler]
     * @param {any} [context] `this` of the handler
     * @returns {this}
     */
    on(names, handler, context2) {
      return this.#add(names, handler, context2, false);
    }
    /**
     * The same forms as {@link on}; each handler runs at most once per name.
     *
     * @param {string | Record<string, Handler>} names
     * @param {any} [handler]
     * @param {any} [context]
     * @returns {this}
     */
    once(names, handler, context2) {
      return this.#add(names, handler, context2, true);
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
    off(names, handler, context2) {
      if (names !== null && typeof names === "object") {
        for (const [name2, each] of Object.entries(names)) this.#remove(name2, each, handler);
        return this;
      }
      const chosen = typeof names === "string" ? split(names) : [...this.#handlers.keys()];
      for (const name2 of chosen) this.#remove(name2, handler, context2);
      return this;
    }
    /** Old names of {@link on} and {@link off}. */
    /** @param {string} name @param {Handler} handler @param {any} [context] */
    addEventListener(name2, handler, context2) {
      return this.on(name2, handler, context2);
    }
    /** @param {string} name @param {Handler} handler @param {any} [context] */
    removeEventListener(name2, handler, context2) {
      return this.off(name2, handler, context2);
    }
    /**
     * Calls the handlers of `name` with `parts`.
     *
     * @param {string} name
     * @param {...any} parts
     * @returns {this}
     */
    trigger(name2, ...parts) {
      for (const entry of [...this.#handlers.get(name2) ?? []]) {
        if (!this.#handlers.get(name2)?.includes(entry)) continue;
        if (entry.once) this.#filterHandlers(name2, (other) => other !== entry);
        guarded(() => entry.handler.apply(entry.context ?? this, parts));
      }
      return this;
    }
    /**
     * Gives `event` to the handlers of its type.
     *
     * @param {OTEvent} event
     * @param {string} [name] when it is not the event's type
     * @returns {this}
     */
    dispatchEvent(event, name2 = event.type) {
      event.target ??= this;
      return this.trigger(name2, event);
    }
    /** @param {string} name */
    hasHandlers(name2) {
      return this.#handlers.has(name2);
    }
    /**
     * @param {string | Record<string, Handler>} names
     * @param {any} handler
     * @param {any} context
     * @param {boolean} once
     */
    #add(names, handler, context2, once) {
      if (typeof names === "object") {
        for (const [name2, each] of Object.entries(names)) this.#add(name2, each, handler, once);
        return this;
      }
      if (typeof handler !== "function") return this;
      for (const name2 of split(names)) {
        const entries = this.#handlers.get(name2) ?? [];
        entries.push({ handler, context: context2, once });
        this.#handlers.set(name2, entries);
      }
      return this;
    }
    /**
     * @param {string} name
     * @param {any} handler
     * @param {any} context
     */
    #remove(name2, handler, context2) {
      this.#filterHandlers(
        name2,
        (entry) => handler && entry.handler !== handler || context2 != null && entry.context !== context2
      );
    }
    /**
     * @param {string} name
     * @param {(entry: { handler: Handler, context: any }) => boolean} stays
     */
    #filterHandlers(name2, stays) {
      const left = (this.#handlers.get(name2) ?? []).filter(stays);
      if (left.length > 0) this.#handlers.set(name2, left);
      else this.#handlers.delete(name2);
    }
  };
  function split(names) {
    return names.split(/\s+/).filter(Boolean);
  }

  // js/opentok/connection.js
  var Connection = class extends Events {
    /** @param {ConnectionInfo} info */
    constructor(info) {
      super();
      this.connectionId = info.connectionId;
      this.id = info.connectionId;
      this.creationTime = info.creationTime;
      this.data = info.data;
      this.capabilities = {};
      this.permissions = {};
    }
  };

  // js/opentok/encodings.js
  function cameraEncodings(height) {
    if (height >= 1080) {
      return [
        { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 2e5 },
        { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 8e5 },
        { rid: "f", maxBitrate: 3e6 }
      ];
    }
    if (height >= 720) {
      return [
        { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 15e4 },
        { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 5e5 },
        { rid: "f", maxBitrate: 17e5 }
      ];
    }
    if (height >= 480) {
      return [
        { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 15e4 },
        { rid: "f", maxBitrate: 7e5 }
      ];
    }
    return [{ maxBitrate: 3e5 }];
  }
  function screenEncodings() {
    return [
      { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 3e5, maxFramerate: 5 },
      { rid: "f", maxBitrate: 25e5, maxFramerate: 15 }
    ];
  }
  function offeredCodecs(kind, codecs) {
    const wanted = kind === "audio" ? ["audio/opus"] : ["video/vp8", "video/rtx"];
    const chosen = codecs.filter((codec) => wanted.includes(codec.mimeType.toLowerCase()));
    return chosen.some((codec) => codec.mimeType.toLowerCase() === wanted[0]) ? chosen : [];
  }
  function wantedHeight(element2, video, fit) {
    if (element2.width < 1 || element2.height < 1) return 1;
    const ratio = video.width > 0 ? video.height / video.width : 9 / 16;
    const byWidth = element2.width * ratio;
    const height = fit === "cover" ? Math.max(element2.height, byWidth) : Math.min(element2.height, byWidth);
    return Math.min(Math.max(Math.round(height), 1), 4320);
  }

  // js/opentok/log.js
  var LEVELS = { NONE: 0, ERROR: 1, WARN: 2, INFO: 3, LOG: 4, DEBUG: 5 };
  var level = LEVELS.WARN;
  function setLogLevel(next) {
    level = Number(next);
  }
  function logger(needed, method) {
    return (...parts) => {
      if (level >= needed) console[method]("OpenTok:", ...parts);
    };
  }
  var log = {
    error: logger(LEVELS.ERROR, "error"),
    warn: logger(LEVELS.WARN, "warn"),
    info: logger(LEVELS.INFO, "info"),
    log: logger(LEVELS.LOG, "log"),
    debug: logger(LEVELS.DEBUG, "debug")
  };

  // js/opentok/errors.js
  var TITLES = (
    /** @type {Record<number, string>} */
    {
      1004: "Authentication error",
      1005: "Invalid Session ID",
      1006: "Connect Failed",
      1007: "Connect Rejected",
      1008: "Connect Time-out",
      1009: "Security Error",
      1010: "Not Connected",
      1011: "Invalid Parameter",
      1012: "Peer-to-peer Stream Play Failed",
      1013: "Connection Failed",
      1014: "API Response Failure",
      1015: "PeerConnection not connected",
      1021: "Request Timeout",
      1026: "Terms of Service Violation: Export Compliance",
      1027: "Connection Limit Exceeded",
      1040: "Set Video Source Failure",
      1041: "Set Video Source Invalid",
      1500: "Unable to Publish",
      1501: "Unable to Subscribe",
      1502: "Unsupported Codec",
      1520: "Unable to Force Disconnect",
      1530: "Unable to Force Unpublish",
      1540: "Unable to Force Mute",
      1553: "Publisher ICE Workflow Failed",
      1554: "Subscriber ICE Workflow Failed",
      1605: "Stream Limit Exceeded",
      2e3: "Internal Error",
      2001: "Unexpected Server Response",
      4e3: "WebSocket Connection Failed",
      4001: "WebSocket Network Disconnected"
    }
  );
  var OpenTokError = class extends Error {
    /**
     * @param {number} code
     * @param {string} name `OT_…`
     * @param {string} message a sentence for the page's developer
     */
    constructor(code, name2, message) {
      super(message);
      this.code = code;
      this.name = name2;
    }
    /** The message again: some pages read it by this name. */
    get reason() {
      return this.message;
    }
  };
  function asOpenTokError(thrown, code = 2e3, name2 = "OT_UNEXPECTED_SERVER_RESPONSE") {
    if (thrown instanceof OpenTokError) return thrown;
    return new OpenTokError(
      typeof thrown?.code === "number" && thrown.code >= 400 ? thrown.code : code,
      typeof thrown?.name === "string" && thrown.name.startsWith("OT_") ? thrown.name : name2,
      String(thrown?.message ?? thrown)
    );
  }
  var exceptions = new Events();
  var raised = /* @__PURE__ */ new WeakSet();
  function fail(thrown, callback, target) {
    const error = asOpenTokError(thrown);
    const { code, message } = error;
    const first = !raised.has(error);
    raised.add(error);
    later(() => {
      if (!first) return;
      log.warn(`${error.name} (${code}): ${message}`);
      const title = TITLES[code] ?? "Internal Error";
      exceptions.dispatchEvent(new OTEvent("exception", { code, message, title, target }));
    });
    if (typeof callback === "function") later(() => callback(error));
    return error;
  }
  function answering(promise, callback) {
    if (typeof callback !== "function") return promise;
    promise.then(
      (value) => later(() => callback(void 0, value)),
      (error) => later(() => callback(error))
    );
    return promise;
  }

  // js/opentok/capture.js
  var SCREENS = ["screen", "window", "application", "browser"];
  function isScreen(source) {
    return typeof source === "string" && SCREENS.includes(source);
  }
  function isTrack(value) {
    return typeof value === "object" && value !== null && "kind" in value && "enabled" in value;
  }
  function parseResolution(resolution) {
    const [, width, height] = /^(\d{2,4})x(\d{2,4})$/.exec(String(resolution)) ?? [];
    return { width: Number(width ?? 640), height: Number(height ?? 480) };
  }
  function videoConstraints(properties) {
    const { videoSource, resolution, maxResolution, frameRate, facingMode } = properties;
    if (isScreen(videoSource)) return { frameRate: { ideal: Number(frameRate) || 15 } };
    const { width, height } = parseResolution(resolution);
    return {
      ...typeof videoSource === "string" && { deviceId: { exact: videoSource } },
      width: { ideal: width, ...maxResolution && { max: Number(maxResolution.width) } },
      height: { ideal: height, ...maxResolution && { max: Number(maxResolution.height) } },
      frameRate: { ideal: Number(frameRate) || 30 },
      ...facingMode && { facingMode }
    };
  }
  function audioConstraints(properties) {
    const processing = !properties.disableAudioProcessing;
    return {
      ...typeof properties.audioSource === "string" && {
        deviceId: { exact: properties.audioSource }
      },
      echoCancellation: properties.echoCancellation ?? processing,
      noiseSuppression: properties.noiseSuppression ?? processing,
      autoGainControl: properties.autoGainControl ?? processing
    };
  }
  function videoEncodings(screen, track, properties) {
    if (screen) return screenEncodings();
    const asked = parseResolution(properties.resolution);
    const { width = asked.width, height = asked.height } = track?.getSettings() ?? {};
    return cameraEncodings(Math.min(width, height));
  }
  async function captureDevices({ audio, video }) {
    const devices = navigator.mediaDevices;
    if (!devices?.getUserMedia) throw unsupported();
    const present = await presentKinds();
    const wanted = { audio: present.audio && audio, video: present.video && video };
    if (!wanted.audio && !wanted.video) throw refusal({ name: "NotFoundError" });
    try {
      return split2(
        await devices.getUserMedia({ audio: wanted.audio || false, video: wanted.video || false })
      );
    } catch (error) {
      if (error?.name !== "OverconstrainedError") throw refusal(error);
    }
    try {
      return split2(await devices.getUserMedia({ audio: !!wanted.audio, video: !!wanted.video }));
    } catch (error) {
      throw refusal(error);
    }
  }
  async function captureScreen(video, audio) {
    if (!navigator.mediaDevices?.getDisplayMedia) throw unsupported();
    try {
      return split2(await navigator.mediaDevices.getDisplayMedia({ video, audio }));
    } catch (error) {
      throw refusal(error);
    }
  }
  async function presentKinds() {
    try {
      const devices = await navigator.mediaDevices.enumerateDevices();
      return {
        audio: devices.some(({ kind }) => kind === "audioinput"),
        video: devices.some(({ kind }) => kind === "videoinput")
      };
    } catch {
      return { audio: true, video: true };
    }
  }
  function split2(stream) {
    return { audio: stream.getAudioTracks()[0] ?? null, video: stream.getVideoTracks()[0] ?? null };
  }
  var REFUSALS = {
    NotAllowedError: [
      "OT_USER_MEDIA_ACCESS_DENIED",
      "Access to the camera or microphone was denied."
    ],
    SecurityError: ["OT_USER_MEDIA_ACCESS_DENIED", "This page may not use the camera or microphone."],
    NotFoundError: ["OT_NO_DEVICES_FOUND", "No camera or microphone was found."],
    NotReadableError: [
      "OT_HARDWARE_UNAVAILABLE",
      "Couldn't read the camera or microphone; another program may be using it."
    ],
    AbortError: ["OT_HARDWARE_UNAVAILABLE", "The camera or microphone stopped unexpectedly."],
    OverconstrainedError: [
      "OT_CONSTRAINTS_NOT_SATISFIED",
      "No camera or microphone meets the constraints."
    ],
    TypeError: ["OT_NO_VALID_CONSTRAINTS", "Neither audio nor video was requested."]
  };
  function refusal(error) {
    if (error instanceof OpenTokError) return error;
    const [name2, message] = REFUSALS[error?.name] ?? ["OT_USER_MEDIA_ACCESS_DENIED", String(error)];
    return new OpenTokError(1500, name2, message);
  }
  function unsupported() {
    const secure = globalThis.isSecureContext !== false;
    return new OpenTokError(
      1500,
      "OT_UNSUPPORTED_BROWSER",
      secure ? "This browser doesn't give access to cameras, microphones or screens." : "Browsers allow the camera and microphone only on secure (https) pages."
    );
  }

  // js/opentok/playback.js
  var blocked = /* @__PURE__ */ new Map();
  var playing = /* @__PURE__ */ new Set();
  var outputId = "";
  var GESTURES = ["click", "keydown", "touchend"];
  async function play(video, handlers) {
    playing.add(video);
    if (outputId) setSink(video, outputId).catch(() => {
    });
    try {
      await video.play();
    } catch (error) {
      if (error?.name !== "NotAllowedError" || video.muted) return;
      video.muted = true;
      if (blocked.size === 0) waitForGesture(true);
      blocked.set(video, { video, unblocked: handlers.unblocked });
      handlers.blocked();
      video.play().catch(() => {
      });
    }
  }
  function stopPlaying(video) {
    playing.delete(video);
    blocked.delete(video);
    if (blocked.size === 0) waitForGesture(false);
  }
  function isBlocked(video) {
    return blocked.has(video);
  }
  async function unblockAudio() {
    await Promise.all(
      [...blocked.values()].map(async ({ video, unblocked }) => {
        video.muted = false;
        try {
          await video.play();
        } catch (error) {
          video.muted = true;
          video.play().catch(() => {
          });
          throw error;
        }
        blocked.delete(video);
        unblocked();
      })
    );
    if (blocked.size === 0) waitForGesture(false);
  }
  async function setOutput(deviceId) {
    await Promise.all([...playing].map((video) => setSink(video, deviceId)));
    outputId = deviceId;
  }
  function getOutput() {
    return outputId;
  }
  async function setSink(video, deviceId) {
    await /** @type {any} */
    video.setSinkId?.(deviceId);
  }
  function waitForGesture(wait) {
    for (const gesture of GESTURES) {
      if (wait) document.addEventListener(gesture, tryAgain, true);
      else document.removeEventListener(gesture, tryAgain, true);
    }
  }
  function tryAgain() {
    unblockAudio().catch(() => {
    });
  }

  // js/opentok/source.js
  var Source = class {
    /** @type {MediaStreamTrack | null} null: not open */
    track = null;
    /** Whether the publisher has this medium at all. */
    exists;
    /** Whether the publisher stops the track when it does not need it. */
    owned = true;
    #kind;
    #properties;
    #ended;
    /**
     * @param {Kind} kind
     * @param {Record<string, any>} properties the publisher's; `ownsTracks`: the publisher stops the tracks it is given
     * @param {(track: MediaStreamTrack) => void} ended called when a track ends by itself
     */
    constructor(kind, properties, ended2) {
      this.#kind = kind;
      this.#properties = properties;
      this.#ended = ended2;
      const given = this.#given;
      this.exists = given !== null && given !== false;
      if (isTrack(given)) this.use(given, properties.ownsTracks === true);
    }
    get #given() {
      const { audioSource, videoSource } = this.#properties;
      if (this.#kind === "video") return videoSource;
      return isScreen(videoSource) ? audioSource ?? null : audioSource;
    }
    get #name() {
      return this.#kind === "audio" ? "audioSource" : "videoSource";
    }
    get isScreen() {
      if (this.#kind === "audio") return false;
      return isScreen(this.#given) || "displaySurface" in (this.track?.getSettings() ?? {});
    }
    /** Whether the track comes from the page and not from a camera. */
    get isCustom() {
      return isTrack(this.#given) && !this.owned;
    }
    get isOpen() {
      return this.track !== null && this.track.readyState !== "ended";
    }
    /** @returns {MediaTrackConstraints} */
    get constraints() {
      return this.#kind === "audio" ? audioConstraints(this.#properties) : videoConstraints(this.#properties);
    }
    /**
     * Takes a track into use; the former one is released.
     *
     * @param {MediaStreamTrack} track
     * @param {boolean} owned
     */
    use(track, owned) {
      if (this.track === track) return;
      const { deviceId } = track.getSettings();
      this.release();
      this.track = track;
      this.owned = owned;
      this.exists = true;
      if (owned && deviceId && !this.isScreen) this.#properties[this.#name] = deviceId;
      track.addEventListener("ended", () => {
        if (this.track === track) this.#ended(track);
      });
    }
    /**
     * Changes to another device or track.
     *
     * @param {any} given a device's id, a track, or null: none
     * @param {boolean} open false: only remember it
     */
    async change(given, open) {
      if (isTrack(given)) {
        this.use(given, false);
        return;
      }
      const before = { ...this.#properties };
      const device = typeof given === "string" ? given : void 0;
      this.#properties[this.#name] = device;
      if (this.#kind === "video") this.#properties.facingMode = void 0;
      this.release();
      if (!open || given === null || given === false) return;
      try {
        await this.open();
      } catch (error) {
        Object.assign(this.#properties, before);
        await this.open().catch(() => {
        });
        throw error;
      }
    }
    /** Opens the device again. @returns {Promise<MediaStreamTrack>} */
    async open() {
      if (this.track && this.isOpen) return this.track;
      const captured = isScreen(this.#given) ? await captureScreen(this.constraints, false) : await captureDevices({ [this.#kind]: this.constraints });
      const track = captured[this.#kind];
      if (!track) throw refusal({ name: "NotFoundError" });
      this.use(track, true);
      return track;
    }
    /** Closes a device, so that its light goes out. What the page gave, and a screen, stay open. */
    pause() {
      if (this.owned && !this.isScreen) this.release();
    }
    /** Lets go of the track for good. */
    release() {
      const track = this.track;
      this.track = null;
      if (this.owned) track?.stop();
    }
  };
  async function openTogether({ audio, video }, wanted, screenSound) {
    const needs = {
      audio: wanted.audio && audio.exists && !audio.isOpen,
      video: wanted.video && video.exists && !video.isOpen
    };
    if (needs.video && video.isScreen) {
      const captured2 = await captureScreen(video.constraints, screenSound);
      if (captured2.video) video.use(captured2.video, true);
      if (captured2.audio && screenSound) audio.use(captured2.audio, true);
      needs.audio &&= !screenSound;
      needs.video = false;
    }
    if (!needs.audio && !needs.video) return;
    const captured = await captureDevices({
      audio: needs.audio ? audio.constraints : null,
      video: needs.video ? video.constraints : null
    });
    if (captured.audio) audio.use(captured.audio, true);
    if (captured.video) video.use(captured.video, true);
  }

  // js/opentok/devices.js
  function getDevices(callback) {
    const list = async () => {
      const devices = [];
      for (const { kind, deviceId, label } of await all()) {
        if (kind === "audioinput") devices.push({ kind: "audioInput", deviceId, label });
        if (kind === "videoinput") devices.push({ kind: "videoInput", deviceId, label });
      }
      return devices;
    };
    return answering(list(), callback);
  }
  async function getAudioOutputDevices() {
    const devices = await all();
    return devices.filter(({ kind }) => kind === "audiooutput").map(({ deviceId, label }) => ({ deviceId, label }));
  }
  async function getActiveAudioOutputDevice() {
    const devices = await getAudioOutputDevices();
    const deviceId = getOutput();
    const active = devices.find((device) => device.deviceId === (deviceId || "default"));
    return active ?? { deviceId, label: "" };
  }
  async function setAudioOutputDevice(deviceId) {
    if (!("setSinkId" in HTMLMediaElement.prototype)) {
      throw new OpenTokError(2e3, "OT_NOT_SUPPORTED", "This browser cannot choose the audio output.");
    }
    try {
      await setOutput(deviceId);
    } catch (error) {
      throw new OpenTokError(1011, "OT_INVALID_AUDIO_OUTPUT_SOURCE", String(error?.message ?? error));
    }
  }
  async function getUserMedia(properties = {}) {
    const audio = new Source("audio", properties, () => {
    });
    const video = new Source("video", properties, () => {
    });
    const captured = isScreen(properties.videoSource) ? await captureScreen(video.constraints, false) : await captureDevices({
      audio: audio.exists ? audio.constraints : null,
      video: video.exists ? video.constraints : null
    });
    return new MediaStream([captured.audio, captured.video].filter((track) => track !== null));
  }
  function checkScreenSharingCapability(callback) {
    const supported = typeof navigator.mediaDevices?.getDisplayMedia === "function";
    const sources = { application: supported, screen: supported, window: supported };
    queueMicrotask(
      () => callback({
        supported,
        supportedSources: sources,
        extensionRequired: void 0,
        extensionRegistered: void 0,
        extensionInstalled: void 0
      })
    );
  }
  async function getSupportedCodecs() {
    const audio = ["opus"].filter(() => supportsWebRtc());
    const video = ["VP8"].filter(() => supportsWebRtc());
    return {
      videoEncoders: video,
      videoDecoders: video,
      audioEncoders: audio,
      audioDecoders: audio
    };
  }
  function supportsWebRtc() {
    return typeof RTCPeerConnection === "function" && typeof WebSocket === "function";
  }
  async function all() {
    const devices = navigator.mediaDevices;
    if (!devices?.enumerateDevices) {
      throw new OpenTokError(1500, "OT_UNSUPPORTED_BROWSER", "This browser does not list devices.");
    }
    return devices.enumerateDevices();
  }

  // js/opentok/ids.js
  function uuid() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const hex = Array.from(bytes, (byte, index) => {
      const set = index === 6 ? byte & 15 | 64 : index === 8 ? byte & 63 | 128 : byte;
      return set.toString(16).padStart(2, "0");
    }).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  // js/opentok/promisify.js
  function promisify(call) {
    return Object.assign(call, {
      promise: (...given) => new Promise((resolve, reject) => {
        call(
          ...given,
          (error, value) => error ? reject(error) : resolve(value)
        );
      })
    });
  }

  // js/opentok/audio-levels.js
  var INTERVAL_MS = 100;
  var context = null;
  var LevelMeter = class {
    #timer;
    #stopped = false;
    /**
     * @param {() => Promise<number | null> | number | null} read null: nothing is known at the moment
     * @param {(level: number) => void} onLevel
     */
    constructor(read, onLevel) {
      this.#timer = setInterval(async () => {
        const level2 = await read();
        if (level2 !== null && !this.#stopped) onLevel(level2);
      }, INTERVAL_MS);
    }
    stop() {
      this.#stopped = true;
      clearInterval(this.#timer);
    }
  };
  function listen(track) {
    context ??= new AudioContext();
    if (context.state === "suspended") context.resume().catch(() => {
    });
    const source = context.createMediaStreamSource(new MediaStream([track]));
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    return {
      read() {
        if (context?.state !== "running") return null;
        analyser.getFloatTimeDomainData(samples);
        return Math.min(
          samples.reduce((loudest, sample) => Math.max(loudest, Math.abs(sample)), 0),
          1
        );
      },
      close() {
        source.disconnect();
      }
    };
  }
  async function receivedLevel(receiver) {
    const level2 = receiver.getSynchronizationSources?.()[0]?.audioLevel;
    if (level2 !== void 0) return level2;
    for (const report of (await receiver.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.audioLevel !== void 0) return report.audioLevel;
    }
    return null;
  }

  // js/opentok/css.js
  var CSS = `@layer opentok {
  .OT_root {
    position: relative;
    box-sizing: border-box;
    width: 264px;
    height: 198px;
    margin: 0;
    padding: 0;
    overflow: hidden;
    background: #1d1f1e;
    color: #fff;
    font: 13px/1.4 system-ui, sans-serif;
    text-align: start;
  }
  .OT_root *, .OT_root *::before { box-sizing: border-box; }
  .OT_widget-container, .OT_video-element, .OT_video-poster, .OT_video-loading {
    position: absolute;
    inset: 0;
    width: 100%;
    height: 100%;
  }
  .OT_video-element { display: block; object-fit: cover; }
  .OT_fit-mode-contain .OT_video-element { object-fit: contain; }
  .OT_mirrored .OT_video-element { transform: scaleX(-1); }
  .OT_audio-only .OT_video-element, .OT_loading .OT_video-element { opacity: 0; }
  .OT_video-poster { display: none; background: center / auto 76% no-repeat; }
  .OT_video-poster::before {
    content: '';
    position: absolute;
    inset: 25% 0 0;
    margin: auto;
    width: min(40%, 160px);
    aspect-ratio: 1;
    border-radius: 50% 50% 0 0;
    background: radial-gradient(circle at 50% 30%, #6d736f 0 29%, transparent 30%),
      radial-gradient(circle at 50% 100%, #6d736f 0 49%, transparent 50%);
  }
  .OT_video-poster[data-image]::before { content: none; }
  .OT_audio-only .OT_video-poster { display: block; }
  .OT_video-loading { display: none; }
  .OT_loading .OT_video-loading { display: block; }
  .OT_video-loading::before {
    content: '';
    position: absolute;
    inset: 0;
    margin: auto;
    width: 32px;
    height: 32px;
    border: 3px solid #ffffff40;
    border-top-color: #fff;
    border-radius: 50%;
    animation: OT_turn 1s linear infinite;
  }
  @keyframes OT_turn { to { transform: rotate(1turn); } }
  @media (prefers-reduced-motion: reduce) { .OT_video-loading::before { animation: none; } }

  .OT_name, .OT_archiving {
    position: absolute;
    inset-inline: 0;
    margin: 0;
    padding: 6px 10px;
    overflow: hidden;
    background: #000000a0;
    font: inherit;
    text-overflow: ellipsis;
    white-space: nowrap;
    opacity: 0;
    transition: opacity 0.2s;
  }
  .OT_name { top: 0; }
  .OT_archiving { bottom: 0; padding-inline-end: 40px; pointer-events: none; }
  .OT_mute {
    position: absolute;
    right: 4px;
    bottom: 4px;
    width: 32px;
    height: 32px;
    border: 0;
    border-radius: 50%;
    background: #000000a0;
    color: #fff;
    font: 16px/1 system-ui, sans-serif;
    cursor: pointer;
    opacity: 0;
    transition: opacity 0.2s;
  }
  .OT_mute svg { display: block; width: 18px; height: 18px; margin: auto; }
  .OT_mute .OT_mute-slash { display: none; }
  .OT_mute.OT_active .OT_mute-slash { display: inline; }
  .OT_mute:focus-visible { outline: 2px solid #fff; outline-offset: -4px; opacity: 1; }
  .OT_root:hover .OT_mode-auto, .OT_mode-on, .OT_archiving.OT_visible, .OT_mute.OT_active,
  .OT_root:focus-within .OT_mode-auto { opacity: 1; }
  @media (hover: none) { .OT_mute.OT_mode-auto { opacity: 1; } }
  .OT_mode-off { display: none; }
  .OT_micro .OT_name, .OT_micro .OT_archiving-status { display: none; }

  .OT_archiving-light-box { display: inline-block; margin-inline-end: 6px; vertical-align: middle; }
  .OT_archiving-light { display: block; width: 10px; height: 10px; border-radius: 50%; background: #75797a; }
  .OT_archiving-on .OT_archiving-light { background: #e5373f; box-shadow: 0 0 5px #e5373f; }

  .OT_audio-level-meter {
    position: absolute;
    top: 8px;
    right: 8px;
    width: 6px;
    height: 32px;
    overflow: hidden;
    border-radius: 3px;
    background: #ffffff30;
    opacity: 0;
  }
  .OT_audio-only .OT_audio-level-meter.OT_mode-auto, .OT_audio-level-meter.OT_mode-on { opacity: 1; }
  .OT_audio-level-meter__value {
    position: absolute;
    inset: 0;
    background: #7ddc8f;
    transform: scaleY(0);
    transform-origin: bottom;
  }
}`;
  var installed = false;
  function installStyles() {
    if (installed || typeof document === "undefined") return;
    installed = true;
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(CSS);
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    } catch {
    }
  }

  // js/opentok/insert-mode.js
  function whenTargetIsKnown(target, place) {
    if (typeof target !== "string") {
      whenThereIsABody(() => place(target?.nodeType === 1 ? target : null));
      return;
    }
    const found = document.getElementById(target);
    if (found) place(found);
    else whenParsed(() => place(document.getElementById(target)));
  }
  function insertRoot(target, mode, id) {
    if (target && (mode === void 0 || mode === "replace")) {
      target.replaceChildren();
      if (!target.id) target.id = id;
      return target;
    }
    const owner = target?.ownerDocument ?? document;
    const root = owner.createElement("div");
    root.id = id;
    if (!target) owner.body.append(root);
    else if (mode === "before") target.before(root);
    else if (mode === "after") target.after(root);
    else target.append(root);
    return root;
  }
  function cssLength(size) {
    if (typeof size === "number") return `${size}px`;
    if (typeof size !== "string" || size === "") return null;
    return /^\d+(\.\d+)?$/.test(size) ? `${size}px` : size;
  }
  function whenParsed(task) {
    if (document.readyState !== "loading") task();
    else document.addEventListener("DOMContentLoaded", () => task(), { once: true });
  }
  function whenThereIsABody(task) {
    if (document.body) task();
    else whenParsed(task);
  }

  // js/opentok/widget.js
  var ARCHIVING_OFF_MS = 5e3;
  var MINI_PX = 128;
  var MICRO_PX = 64;
  var MICROPHONE = "M12 14a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v5a3 3 0 0 0 3 3Zm5-3a5 5 0 0 1-10 0H5a7 7 0 0 0 6 6.9V21h2v-3.1A7 7 0 0 0 19 11Z";
  var SPEAKER = "M4 9v6h4l5 5V4L8 9Zm12.5 3A4.5 4.5 0 0 0 14 8v8a4.5 4.5 0 0 0 2.5-4Z";
  var SLASH = "M3 4.3 4.3 3 21 19.7 19.7 21Z";
  var Widget = class {
    /** @type {HTMLElement | null} the root; null before it has a place, or without default UI */
    element = null;
    /** @type {HTMLVideoElement} */
    video;
    #options;
    /** @type {Style} */
    #style;
    #classes = /* @__PURE__ */ new Set(["OT_root"]);
    #destroyed = false;
    #archivingTimer = (
      /** @type {any} */
      null
    );
    /** @type {ResizeObserver | null} */
    #sizes = null;
    #poster = element("div", "OT_video-poster");
    #name = element("h1", "OT_name");
    #mute = (
      /** @type {HTMLButtonElement} */
      element("button", "OT_mute")
    );
    #meter = element("div", "OT_audio-level-meter");
    #level = element("div", "OT_audio-level-meter__value");
    #archiving = element("h1", "OT_archiving");
    #archivingText = element("span", "OT_archiving-status");
    /**
     * @param {any} target
     * @param {WidgetOptions} options
     */
    constructor(target, options) {
      this.#options = options;
      const { role, properties, onMuteClick } = options;
      this.#style = { ...properties.style };
      this.#classes.add(`OT_${role}`);
      this.video = document.createElement("video");
      this.video.className = "OT_video-element";
      this.video.autoplay = true;
      this.video.playsInline = true;
      this.video.muted = role === "publisher";
      this.#mute.type = "button";
      this.#mute.append(icon(role === "publisher" ? MICROPHONE : SPEAKER));
      this.#mute.addEventListener("click", onMuteClick);
      this.setMuted(false);
      this.setName(properties.name ?? "");
      if (properties.insertDefaultUI === false) return;
      installStyles();
      whenTargetIsKnown(target, (found) => this.#place(found));
    }
    /** @param {HTMLElement | null} target */
    #place(target) {
      if (this.#destroyed) return;
      const { id, properties, onPlaced } = this.#options;
      const root = insertRoot(target, properties.insertMode, id);
      this.element = root;
      root.classList.add(...this.#classes);
      const width = cssLength(properties.width);
      const height = cssLength(properties.height);
      if (width) root.style.width = width;
      if (height) root.style.height = height;
      const container = element("div", "OT_widget-container", "OT_video-container");
      container.append(this.video, this.#poster, element("div", "OT_video-loading"));
      root.append(container);
      if (properties.showControls !== false) root.append(...this.#chrome());
      this.setStyle(this.#style);
      this.#sizes = new ResizeObserver(() => {
        this.#toggle("OT_mini", root.clientWidth < MINI_PX);
        this.#toggle("OT_micro", root.clientWidth < MICRO_PX);
      });
      this.#sizes.observe(root);
      onPlaced(root);
    }
    #chrome() {
      this.#meter.append(this.#level);
      const box = element("div", "OT_archiving-light-box");
      box.append(element("div", "OT_archiving-light"));
      this.#archiving.append(box, this.#archivingText);
      this.#archiving.setAttribute("role", "status");
      return [this.#name, this.#mute, this.#meter, this.#archiving];
    }
    /** @param {string} name */
    setName(name2) {
      this.#name.textContent = name2;
      this.#name.hidden = name2 === "";
    }
    /** @param {boolean} loading */
    setLoading(loading) {
      this.#toggle("OT_loading", loading);
    }
    /** @param {boolean} audioOnly whether the poster is shown in place of the video */
    setAudioOnly(audioOnly) {
      this.#toggle("OT_audio-only", audioOnly);
    }
    /** @param {boolean} mirrored */
    setMirrored(mirrored) {
      this.#toggle("OT_mirrored", mirrored);
    }
    /** @param {'cover' | 'contain'} fit */
    setFit(fit) {
      this.#toggle("OT_fit-mode-cover", fit === "cover");
      this.#toggle("OT_fit-mode-contain", fit === "contain");
    }
    /** @param {boolean} muted */
    setMuted(muted) {
      const publisher = this.#options.role === "publisher";
      this.#mute.classList.toggle("OT_active", muted);
      const label = publisher ? muted ? "Unmute microphone" : "Mute microphone" : muted ? "Turn sound on" : "Turn sound off";
      this.#mute.setAttribute("aria-label", label);
      this.#mute.title = label;
    }
    /** @param {number} level from 0 to 1 */
    setLevel(level2) {
      const shown = level2 > 0 ? Math.min(Math.max(1 + Math.log10(level2) / 2, 0), 1) : 0;
      this.#level.style.transform = `scaleY(${shown.toFixed(2)})`;
    }
    /** Whether anybody can see the meter. */
    get showsLevel() {
      return this.element !== null && this.#options.properties.showControls !== false && this.#style.audioLevelDisplayMode !== "off" && (this.#style.audioLevelDisplayMode === "on" || this.#classes.has("OT_audio-only"));
    }
    /** @param {boolean | null} on null: nothing has been archived yet */
    setArchiving(on) {
      clearTimeout(this.#archivingTimer);
      this.#archiving.classList.toggle("OT_archiving-on", on === true);
      this.#archiving.classList.toggle("OT_archiving-off", on === false);
      this.#archiving.classList.toggle("OT_visible", on !== null);
      this.#archivingText.textContent = on === null ? "" : on ? "Archiving on" : "Archiving off";
      if (on !== false) return;
      this.#archivingTimer = setTimeout(() => this.setArchiving(null), ARCHIVING_OFF_MS);
    }
    /** @returns {Style} */
    getStyle() {
      return { ...this.#style };
    }
    /** @param {Style} style what is absent stays as it was */
    setStyle(style) {
      Object.assign(this.#style, style);
      const modes = this.#style;
      setMode(this.#name, modes.nameDisplayMode);
      setMode(this.#mute, modes.buttonDisplayMode);
      setMode(this.#meter, modes.audioLevelDisplayMode);
      this.#archiving.classList.toggle("OT_mode-off", modes.archiveStatusDisplayMode === "off");
      const image = modes.backgroundImageURI;
      this.#poster.toggleAttribute("data-image", !!image);
      this.#poster.style.backgroundImage = image ? `url(${JSON.stringify(image)})` : "";
    }
    /** @returns {string | null} the picture shown now, as base64 PNG; null: there is none */
    picture() {
      const { videoWidth, videoHeight } = this.video;
      if (!videoWidth || !videoHeight) return null;
      const canvas = document.createElement("canvas");
      canvas.width = videoWidth;
      canvas.height = videoHeight;
      canvas.getContext("2d")?.drawImage(this.video, 0, 0);
      return canvas.toDataURL("image/png").replace("data:image/png;base64,", "");
    }
    destroy() {
      this.#destroyed = true;
      clearTimeout(this.#archivingTimer);
      this.#sizes?.disconnect();
      this.video.srcObject = null;
      this.video.remove();
      this.element?.remove();
      this.element = null;
    }
    /**
     * @param {string} name
     * @param {boolean} on
     */
    #toggle(name2, on) {
      if (on) this.#classes.add(name2);
      else this.#classes.delete(name2);
      this.element?.classList.toggle(name2, on);
    }
  };
  function element(tag, ...classes) {
    const made = document.createElement(tag);
    made.classList.add(...classes);
    return made;
  }
  function setMode(part, mode = "auto") {
    for (const each of ["auto", "on", "off"]) {
      part.classList.toggle(`OT_mode-${each}`, each === mode);
    }
  }
  function icon(outline) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("fill", "currentColor");
    svg.setAttribute("aria-hidden", "true");
    for (const [name2, d] of Object.entries({ "": outline, "OT_mute-slash": SLASH })) {
      const path = document.createElementNS(space, "path");
      path.setAttribute("d", d);
      if (name2) path.setAttribute("class", name2);
      svg.append(path);
    }
    return svg;
  }

  // js/opentok/media-view.js
  var MediaView = class extends Events {
    /** Of the root element. */
    id = `OT_${uuid()}`;
    /** For the library only. */
    widget;
    /** @type {{ meter: LevelMeter, ear: Ear } | null} */
    #metering = null;
    /**
     * @param {any} target
     * @param {'publisher' | 'subscriber'} role
     * @param {Record<string, any>} properties
     * @param {() => void} onMuteClick
     */
    constructor(target, role, properties, onMuteClick) {
      super();
      this.widget = new Widget(target, {
        role,
        id: this.id,
        properties,
        onMuteClick,
        onPlaced: (root) => {
          this.id = root.id;
        }
      });
    }
    /** The root element; null before it has a place, and without default UI. */
    get element() {
      return this.widget.element;
    }
    /** @returns {string | null} the present picture, as base64 PNG */
    getImgData() {
      return this.widget.picture();
    }
    /** @param {any} style or the name of one property @param {any} [value] of that property @returns {this} */
    setStyle(style, value) {
      this.widget.setStyle(typeof style === "string" ? { [style]: value } : style);
      this.startMeter();
      return this;
    }
    getStyle() {
      return this.widget.getStyle();
    }
    videoWidth() {
      return this.widget.video.videoWidth || void 0;
    }
    videoHeight() {
      return this.widget.video.videoHeight || void 0;
    }
    /**
     * Whoever listens for the level starts its measuring.
     *
     * @param {any} names
     * @param {any} [handler]
     * @param {any} [context]
     * @returns {this}
     */
    on(names, handler, context2) {
      super.on(names, handler, context2);
      this.startMeter();
      return this;
    }
    /** For the library only: what there is to hear now. @returns {Ear | null} */
    ear() {
      return null;
    }
    /** For the library only: measures the sound if there is any and somebody is interested. */
    startMeter() {
      if (this.#metering) return;
      if (!this.hasHandlers("audioLevelUpdated") && !this.widget.showsLevel) return;
      const ear = this.ear();
      if (!ear) return;
      const meter = new LevelMeter(ear.read, (audioLevel) => {
        this.widget.setLevel(audioLevel);
        this.emit("audioLevelUpdated", { audioLevel });
      });
      this.#metering = { meter, ear };
    }
    /** For the library only. */
    stopMeter() {
      this.#metering?.meter.stop();
      this.#metering?.ear.close?.();
      this.#metering = null;
    }
    /**
     * For the library only.
     *
     * @param {string} type
     * @param {Record<string, unknown>} [fields]
     */
    emit(type, fields) {
      this.dispatchEvent(new OTEvent(type, fields));
    }
  };

  // js/opentok/local-media.js
  var QUESTION_MS = 400;
  var LocalMedia = class extends MediaView {
    /** @type {boolean | undefined} undefined: not known yet */
    accessAllowed;
    /** For the publisher: where the media come from. */
    sources;
    /** For the publisher: what the page wants. */
    wants;
    /** For the publisher: whether video is on, as far as the camera has followed. */
    isVideoOn = false;
    /** For the publisher: there will be no more media. */
    isDestroyed = false;
    /** For the publisher: settles when the devices are open. @type {Promise<void>} */
    ready;
    #properties;
    /** One change of the devices at a time. @type {Promise<unknown>} */
    #work = Promise.resolve();
    /**
     * @param {any} target
     * @param {Record<string, any>} properties
     * @param {any} callback
     */
    constructor(target, properties, callback) {
      super(target, "publisher", properties, () => this.publishAudio(!this.wants.audio));
      this.#properties = properties;
      this.wants = {
        audio: properties.publishAudio !== false,
        video: properties.publishVideo !== false
      };
      const ended2 = (track) => this.#trackEnded(track);
      this.sources = {
        audio: new Source("audio", properties, ended2),
        video: new Source("video", properties, ended2)
      };
      this.widget.setFit(properties.fitMode ?? (this.sources.video.isScreen ? "contain" : "cover"));
      this.widget.setMuted(!this.wants.audio);
      this.widget.setLoading(true);
      later(() => this.emit("videoElementCreated", { element: this.widget.video }));
      this.ready = this.#open();
      this.ready.then(
        () => callback && later(() => callback(void 0, this)),
        // Whoever destroyed it need not hear that it was destroyed.
        (error) => this.isDestroyed ? callback?.(error) : fail(error, callback, this)
      );
    }
    async #open() {
      await null;
      let asked = false;
      const question = setTimeout(() => {
        asked = true;
        this.emit("accessDialogOpened");
      }, QUESTION_MS);
      try {
        const { audioSource, videoSource } = this.#properties;
        const screenSound = isScreen(videoSource) && isScreen(audioSource);
        await openTogether(this.sources, this.wants, screenSound);
      } catch (error) {
        this.accessAllowed = false;
        if (error.name === "OT_USER_MEDIA_ACCESS_DENIED") {
          this.dispatchEvent(new OTEvent("accessDenied", { message: error.message }, true));
        }
        throw error;
      } finally {
        clearTimeout(question);
        if (asked) this.emit("accessDialogClosed");
      }
      if (this.isDestroyed) {
        this.release();
        throw gone();
      }
      this.accessAllowed = true;
      this.isVideoOn = this.wants.video && this.sources.video.isOpen;
      this.#applyAudio();
      this.#showVideo();
      this.widget.setLoading(false);
      this.emit("accessAllowed");
      this.emit("mediaStreamAvailable", { mediaStream: this.widget.video.srcObject });
      this.startMeter();
    }
    /** @param {boolean} on @returns {this} */
    publishAudio(on) {
      this.wants.audio = !!on;
      this.widget.setMuted(!this.wants.audio);
      if (this.wants.audio && this.sources.audio.exists && !this.sources.audio.isOpen && this.accessAllowed) {
        this.sources.audio.open().then(
          () => this.#audioOpened(),
          (error) => {
            this.wants.audio = false;
            this.widget.setMuted(true);
            fail(error, null, this);
          }
        );
      }
      this.#applyAudio();
      return this;
    }
    /**
     * Without video the camera is closed, and its light goes out.
     *
     * @param {boolean} on
     * @param {(error?: OpenTokError) => void} [callback]
     * @returns {this}
     */
    publishVideo(on, callback) {
      this.wants.video = !!on;
      const done = this.#queue(() => this.#settleVideo());
      done.then(
        () => callback && later(() => callback()),
        (error) => fail(error, callback, this)
      );
      return this;
    }
    /** @returns {MediaStreamTrack | null} */
    getAudioSource() {
      return this.sources.audio.track;
    }
    /** @returns {{ deviceId: string | null, type: string | null, track: MediaStreamTrack | null }} */
    getVideoSource() {
      const { track } = this.sources.video;
      return {
        deviceId: track?.getSettings().deviceId ?? null,
        type: track && this.videoType,
        track
      };
    }
    /**
     * Changes the microphone.
     *
     * @param {string | MediaStreamTrack | boolean | null} source a device, a track; null or false: silence
     * @returns {Promise<void>}
     */
    setAudioSource(source) {
      return this.#queue(async () => {
        await this.ready;
        if (!this.sources.audio.exists) throw noSuchMedium("audio");
        await this.sources.audio.change(source, this.wants.audio || this.sources.audio.isOpen);
        await this.#audioOpened();
        this.emit("audioInputDeviceChanged", {
          device: { deviceId: this.sources.audio.track?.getSettings().deviceId ?? null }
        });
      });
    }
    /**
     * Changes the camera.
     *
     * @param {string | MediaStreamTrack} source a device or a track
     * @returns {Promise<void>}
     */
    setVideoSource(source) {
      return this.#queue(async () => {
        await this.ready;
        if (!this.sources.video.exists) throw noSuchMedium("video");
        await this.sources.video.change(source, this.wants.video).finally(() => this.#applyVideo());
      });
    }
    /** Takes the next camera. @returns {Promise<{ deviceId: string }>} */
    async cycleVideo() {
      const devices = await navigator.mediaDevices.enumerateDevices();
      const cameras = devices.filter(({ kind }) => kind === "videoinput");
      const { deviceId } = this.getVideoSource();
      const at = cameras.findIndex((camera) => camera.deviceId === deviceId);
      const next = cameras[(at + 1) % cameras.length];
      if (!next) throw new OpenTokError(1500, "OT_NO_DEVICES_FOUND", "No camera was found.");
      await this.setVideoSource(next.deviceId);
      return { deviceId: next.deviceId };
    }
    /** @param {{ width: number, height: number }} resolution @returns {Promise<void>} */
    async setPreferredResolution({ width, height }) {
      await this.sources.video.track?.applyConstraints({
        ...this.sources.video.track.getConstraints(),
        width: { ideal: width },
        height: { ideal: height }
      });
    }
    /** @param {number} frameRate @returns {Promise<void>} */
    async setPreferredFrameRate(frameRate) {
      await this.sources.video.track?.applyConstraints({
        ...this.sources.video.track.getConstraints(),
        frameRate: { ideal: frameRate }
      });
    }
    /** For the publisher: the devices have followed all that was asked so far. @returns {Promise<void>} */
    async settled() {
      await this.ready;
      await this.#work;
    }
    /** For the publisher: takes and shows the state of both media, as after something was sent anew. */
    async applyAll() {
      await this.#audioOpened();
      await this.#applyVideo();
    }
    /** For the publisher: closes what was opened. */
    release() {
      this.isDestroyed = true;
      this.stopMeter();
      this.sources.audio.release();
      this.sources.video.release();
    }
    /**
     * For the publisher: sends another track from now on.
     *
     * @param {'audio' | 'video'} _kind
     * @param {MediaStreamTrack | null} _track
     */
    async replaceTrack(_kind, _track) {
    }
    /** For the publisher: tells what is new. @param {StreamUpdate} _update */
    sendUpdate(_update) {
    }
    /** For the publisher: the media ended by themselves and cannot come back. */
    mediaEnded() {
    }
    /** For the publisher. @returns {'camera' | 'screen' | 'custom'} */
    get videoType() {
      const { video } = this.sources;
      return video.isScreen ? "screen" : video.isCustom ? "custom" : "camera";
    }
    /** For the publisher. */
    get sendsAudio() {
      return this.wants.audio && this.sources.audio.isOpen;
    }
    /** For the publisher: null while video is off. */
    get videoTrack() {
      const { video } = this.sources;
      return this.isVideoOn && video.isOpen ? video.track : null;
    }
    /** Muted is a track that is not enabled: the microphone stays open, to come back at once. */
    #applyAudio() {
      if (this.sources.audio.track) this.sources.audio.track.enabled = this.wants.audio;
      this.sendUpdate({ hasAudio: this.sendsAudio });
    }
    async #audioOpened() {
      this.#applyAudio();
      await this.replaceTrack("audio", this.sources.audio.track);
      this.stopMeter();
      this.startMeter();
    }
    /** Brings the camera to what the page wants by now. */
    async #settleVideo() {
      await this.ready;
      if (this.isDestroyed || !this.sources.video.exists) return;
      const on = this.wants.video;
      if (on === this.isVideoOn) return;
      if (on) {
        try {
          await this.sources.video.open();
        } catch (error) {
          this.wants.video = false;
          throw error;
        }
      }
      this.isVideoOn = on;
      await this.#applyVideo();
      if (!on) this.sources.video.pause();
    }
    /** Sends, shows and announces the video, or its absence. */
    async #applyVideo() {
      await this.replaceTrack("video", this.videoTrack);
      this.sendUpdate({ hasVideo: this.videoTrack !== null });
      this.#showVideo();
    }
    #showVideo() {
      const track = this.videoTrack;
      if (track && this.sources.video.isScreen) track.contentHint ||= "detail";
      const { video } = this.widget;
      const shown = (
        /** @type {MediaStream | null} */
        video.srcObject?.getVideoTracks()[0] ?? null
      );
      if (track !== shown) video.srcObject = track && new MediaStream([track]);
      if (track) video.play().catch(() => {
      });
      this.widget.setAudioOnly(!track);
      const mirror = this.#properties.mirror ?? (this.videoType === "camera" && !this.#facesAway);
      this.widget.setMirrored(mirror);
    }
    get #facesAway() {
      return this.sources.video.track?.getSettings().facingMode === "environment";
    }
    /** A device was unplugged, or sharing was ended in the browser's own bar. @param {MediaStreamTrack} track */
    #trackEnded(track) {
      if (this.isDestroyed) return;
      this.emit("mediaStopped", { track });
      if (track.kind === "video" && !this.sources.video.isScreen) {
        this.wants.video = false;
        this.#queue(() => this.#settleVideo()).catch(() => {
        });
      } else if (track.kind === "audio") {
        this.#applyAudio();
      }
      const { audio, video } = this.sources;
      const over = video.isScreen ? !video.isOpen : !video.isOpen && !audio.isOpen && video.isCustom;
      if (over) this.mediaEnded();
    }
    /**
     * @template T
     * @param {() => Promise<T>} task
     * @returns {Promise<T>} of this task, which runs after those before it
     */
    #queue(task) {
      const result = this.#work.then(task);
      this.#work = result.catch(() => {
      });
      return result;
    }
    ear() {
      const { track } = this.sources.audio;
      if (!track || this.isDestroyed) return null;
      const { read, close } = listen(track);
      return { read: () => this.wants.audio ? read() : 0, close };
    }
  };
  function gone() {
    return new OpenTokError(
      1500,
      "OT_STREAM_DESTROYED",
      "The publisher was ended before it published."
    );
  }
  function noSuchMedium(medium) {
    return new OpenTokError(1041, "OT_INVALID_PARAMETER", `The publisher was made without ${medium}.`);
  }

  // js/opentok/stats.js
  function sum(reports, type, kind, fields) {
    const total = {};
    for (const field of fields) total[field] = 0;
    for (const report of reports) {
      if (report.type !== type || report.kind !== kind) continue;
      for (const field of fields) total[field] = (total[field] ?? 0) + (report[field] ?? 0);
    }
    return total;
  }
  function subscriberStats(report) {
    const reports = [...report.values()];
    const fields = ["bytesReceived", "packetsLost", "packetsReceived"];
    const audio = sum(reports, "inbound-rtp", "audio", fields);
    const video = sum(reports, "inbound-rtp", "video", fields);
    const inbound = reports.find((each) => each.type === "inbound-rtp" && each.kind === "video");
    return {
      timestamp: timestampOf(reports),
      audio,
      video: { ...video, frameRate: inbound?.framesPerSecond ?? 0 }
    };
  }
  function publisherStats(report) {
    const reports = [...report.values()];
    const remote = (kind) => reports.filter((each) => each.type === "remote-inbound-rtp" && each.kind === kind).reduce((lost, each) => lost + (each.packetsLost ?? 0), 0);
    const fields = ["bytesSent", "packetsSent"];
    const frameRate = reports.filter((each) => each.type === "outbound-rtp" && each.kind === "video").reduce((fastest, each) => Math.max(fastest, each.framesPerSecond ?? 0), 0);
    return {
      timestamp: timestampOf(reports),
      audio: { ...sum(reports, "outbound-rtp", "audio", fields), packetsLost: remote("audio") },
      video: {
        ...sum(reports, "outbound-rtp", "video", fields),
        packetsLost: remote("video"),
        frameRate
      }
    };
  }
  async function mergedReport(sources) {
    const merged = /* @__PURE__ */ new Map();
    for (const source of sources) {
      for (const [id, report] of await source?.getStats() ?? []) merged.set(id, report);
    }
    return (
      /** @type {any} */
      merged
    );
  }
  function timestampOf(reports) {
    return reports[0]?.timestamp ?? Date.now();
  }

  // js/opentok/stream.js
  var Stream = class extends Events {
    /**
     * @param {StreamInfo} info
     * @param {Connection} connection who publishes it
     */
    constructor(info, connection) {
      super();
      this.streamId = info.streamId;
      this.id = info.streamId;
      this.connection = connection;
      this.creationTime = info.creationTime;
      this.name = info.name;
      this.hasAudio = info.hasAudio;
      this.hasVideo = info.hasVideo;
      this.videoType = info.videoType;
      this.frameRate = info.frameRate ?? void 0;
      this.videoDimensions = { width: info.width, height: info.height };
    }
    /**
     * Takes over what is new.
     *
     * @param {Partial<Pick<StreamInfo, 'hasAudio' | 'hasVideo' | 'width' | 'height'>>} info absent means unchanged
     * @returns {{ changedProperty: string, oldValue: unknown, newValue: unknown }[]} what was
     */
    update(info) {
      const changes = [];
      for (
        const property of
        /** @type {const} */
        ["hasAudio", "hasVideo"]
      ) {
        const newValue2 = info[property];
        if (newValue2 === void 0 || newValue2 === this[property]) continue;
        changes.push({ changedProperty: property, oldValue: this[property], newValue: newValue2 });
        this[property] = newValue2;
      }
      const oldValue = this.videoDimensions;
      const newValue = {
        width: info.width ?? oldValue.width,
        height: info.height ?? oldValue.height
      };
      if (newValue.width !== oldValue.width || newValue.height !== oldValue.height) {
        this.videoDimensions = newValue;
        changes.push({ changedProperty: "videoDimensions", oldValue, newValue });
      }
      return changes;
    }
  };

  // js/opentok/publisher.js
  var Publisher = class extends LocalMedia {
    /** @type {any} the session it publishes to */
    session = null;
    /** @type {Stream | null} */
    stream = null;
    /** Ends the stream, closes the devices and removes the element; returns the publisher. */
    destroy = promisify((callback) => {
      this.#destroy();
      if (typeof callback === "function") later(() => callback());
      return this;
    });
    #properties;
    /** @type {Place | null} */
    #place = null;
    /** @type {Publication | null} */
    #publication = null;
    /**
     * @param {any} target
     * @param {Record<string, any>} properties
     * @param {any} callback
     */
    constructor(target, properties, callback) {
      super(target, properties, callback);
      this.#properties = properties;
      const { video } = this.widget;
      video.addEventListener("resize", () => this.#resized(video.videoWidth, video.videoHeight));
    }
    get streamId() {
      return this.stream?.streamId;
    }
    /** @param {(error: any, stats?: any) => void} [callback] */
    getStats(callback) {
      const stats = this.getRtcStatsReport().then(
        (reports) => reports.map(({ rtcStatsReport, ...whom }) => ({
          ...whom,
          stats: publisherStats(rtcStatsReport)
        }))
      );
      return answering(stats, callback);
    }
    /**
     * One report, or one for each subscriber when media go from browser to browser.
     *
     * @returns {Promise<{ connectionId?: string, rtcStatsReport: RTCStatsReport }[]>}
     */
    async getRtcStatsReport() {
      const sent = this.#publication?.sent;
      if (!sent) throw new OpenTokError(1015, "OT_NOT_CONNECTED", "The publisher is not connected.");
      return Promise.all(
        sent.map(async ({ senders, ...whom }) => ({
          ...whom,
          rtcStatsReport: await mergedReport(senders)
        }))
      );
    }
    /** @param {any} _filter @returns {Promise<never>} */
    applyVideoFilter(_filter) {
      return Promise.reject(notBuilt("Video filters"));
    }
    async clearVideoFilter() {
    }
    /** @param {any} _filter @returns {Promise<never>} */
    applyAudioFilter(_filter) {
      return Promise.reject(notBuilt("Audio filters"));
    }
    async clearAudioFilter() {
    }
    #destroy() {
      if (this.isDestroyed) return;
      const { stream } = this;
      this.#leave(true);
      this.release();
      this.widget.destroy();
      later(() => {
        if (stream) this.emit("streamDestroyed", { stream, reason: "unpublished" });
        this.emit("destroyed");
      });
    }
    /**
     * For the session only: sends the media.
     *
     * @param {Place} place
     * @returns {Promise<Stream>} once others can see it
     */
    async publishTo(place) {
      if (this.isDestroyed) throw gone();
      this.#place = place;
      this.session = place.session;
      try {
        await this.settled();
        const announced = this.#announcement();
        if (this.#place !== place) throw gone();
        const publication = await place.media.publish(announced, this.#outgoing());
        if (this.#place !== place) {
          place.media.unpublish(publication.streamId);
          throw gone();
        }
        this.#publication = publication;
        this.stream = new Stream(
          {
            ...announced,
            streamId: publication.streamId,
            connectionId: place.session.connection.connectionId,
            creationTime: Date.now()
          },
          place.session.connection
        );
        await this.applyAll();
        return this.stream;
      } catch (error) {
        if (this.#place === place) {
          this.#place = null;
          this.session = null;
        }
        throw error;
      }
    }
    /**
     * For the session only: the stream ended, or is to end.
     *
     * @param {string} reason
     * @param {{ notifyServer: boolean, keep?: boolean }} how `notifyServer`: the server does not know yet; `keep`: the page keeps the element
     */
    endStream(reason, { notifyServer, keep = false }) {
      const { stream } = this;
      this.#leave(notifyServer, reason === "mediaStopped");
      if (!stream) return;
      later(() => {
        const event = new OTEvent("streamDestroyed", { stream, reason }, true);
        this.dispatchEvent(event);
        if (!keep && !event.isDefaultPrevented() && !this.session) this.destroy();
      });
    }
    /** For the session only: a moderator muted the stream, and the server knows. */
    mutedByForce() {
      this.wants.audio = false;
      this.widget.setMuted(true);
      const { track } = this.sources.audio;
      if (track) track.enabled = false;
      if (this.stream) this.#place?.changed(this.stream, { hasAudio: false });
      this.emit("muteForced");
    }
    /** For the session only. @param {boolean | null} on */
    setArchiving(on) {
      this.widget.setArchiving(on);
    }
    /** @param {boolean} notifyServer @param {boolean} [mediaStopped] */
    #leave(notifyServer, mediaStopped) {
      const place = this.#place;
      const publication = this.#publication;
      this.#place = null;
      this.#publication = null;
      this.session = null;
      this.stream = null;
      if (!place) return;
      place.forget();
      this.widget.setArchiving(null);
      if (!publication) return;
      if (notifyServer) place.media.unpublish(publication.streamId, mediaStopped);
      else place.media.unpublished(publication.streamId);
    }
    /** @returns {NewStream} */
    #announcement() {
      const { exists, track } = this.sources.video;
      const { width, height, frameRate } = track?.getSettings() ?? {};
      const asked = parseResolution(this.#properties.resolution);
      const hasVideo = this.videoTrack !== null;
      return {
        name: String(this.#properties.name ?? "").slice(0, 1e3),
        hasAudio: this.sendsAudio,
        hasVideo,
        videoType: this.videoType,
        width: exists ? width ?? asked.width : 0,
        height: exists ? height ?? asked.height : 0,
        frameRate: hasVideo && frameRate ? Math.min(Math.round(frameRate), 255) : null
      };
    }
    /** Both media that it may ever have, so that turning one on needs no negotiation. @returns {Outgoing[]} */
    #outgoing() {
      const { audio, video } = this.sources;
      const encodings = videoEncodings(video.isScreen, video.track, this.#properties);
      const tracks = [];
      if (audio.exists) tracks.push({ kind: "audio", track: audio.track });
      if (video.exists) tracks.push({ kind: "video", track: this.videoTrack, encodings });
      return tracks;
    }
    /**
     * @param {number} width
     * @param {number} height
     */
    #resized(width, height) {
      const oldValue = this.stream?.videoDimensions;
      if (!oldValue || width === 0) return;
      if (oldValue.width === width && oldValue.height === height) return;
      const newValue = { width, height };
      this.sendUpdate(newValue);
      this.emit("videoDimensionsChanged", { oldValue, newValue });
    }
    /** @param {'audio' | 'video'} kind @param {MediaStreamTrack | null} track */
    async replaceTrack(kind, track) {
      await this.#publication?.replaceTrack(kind, track);
    }
    mediaEnded() {
      if (this.stream) this.endStream("mediaStopped", { notifyServer: true });
    }
    /** Tells the server and the page what is new about the stream. @param {StreamUpdate} update */
    sendUpdate(update) {
      const { stream } = this;
      if (!stream || !this.#place) return;
      const { hasAudio = stream.hasAudio, hasVideo = stream.hasVideo } = update;
      const { width = stream.videoDimensions.width, height = stream.videoDimensions.height } = update;
      const same = hasAudio === stream.hasAudio && hasVideo === stream.hasVideo && width === stream.videoDimensions.width && height === stream.videoDimensions.height;
      if (same) return;
      this.#place.media.updateStream(stream.streamId, update);
      this.#place.changed(stream, update);
    }
  };
  function notBuilt(what) {
    return new OpenTokError(2e3, "OT_NOT_SUPPORTED", `${what} are not supported.`);
  }

  // js/opentok/capabilities.js
  var NEEDED = {
    publish: "at least `publisher`",
    subscribe: "other than `publisheronly`",
    forceUnpublish: "`moderator`",
    forceDisconnect: "`moderator`",
    forceMute: "`moderator`"
  };
  function capabilitiesOf(role) {
    const yes = (allowed) => allowed ? 1 : 0;
    const moderator = yes(role === "moderator");
    return {
      connect: 1,
      publish: yes(role !== null && role !== "subscriber"),
      subscribe: yes(role !== null && role !== "publisheronly"),
      forceUnpublish: moderator,
      forceDisconnect: moderator,
      forceMute: moderator,
      signal: yes(role !== null && role !== "publisheronly"),
      supportsWebRTC: yes("RTCPeerConnection" in globalThis),
      /** @param {string} action */
      permittedTo(action) {
        return (
          /** @type {any} */
          this[action] === 1
        );
      }
    };
  }
  function mayNot(capabilities, action, code) {
    if (capabilities[action]) return null;
    const message = `This token may not do that; its role must be ${NEEDED[action]}.`;
    return new OpenTokError(code, "OT_PERMISSION_DENIED", message);
  }

  // js/opentok/p2p/peer-connection.js
  var CONNECT_MS = 5e3;
  var DISCONNECTED_MS = 3e3;
  var GATHER_MS = 50;
  var P2pConnection = class {
    #handlers;
    /** @type {RTCPeerConnection} */
    connection;
    #closed = false;
    /** @type {Candidate[]} */
    #found = [];
    /** Those of the other side that came before its description. @type {Candidate[]} */
    #early = [];
    #gathering = (
      /** @type {any} */
      null
    );
    #patience = (
      /** @type {any} */
      null
    );
    /**
     * @param {RTCPeerConnection} connection
     * @param {Handlers} handlers
     */
    constructor(connection, handlers) {
      this.connection = connection;
      this.#handlers = handlers;
      connection.onicecandidate = ({ candidate }) => this.#gather(candidate);
      connection.onconnectionstatechange = () => this.#stateChanged();
      this.#expectConnection();
    }
    get isClosed() {
      return this.#closed;
    }
    get state() {
      return this.connection.connectionState;
    }
    /** @param {RTCSessionDescriptionInit} description of the other side */
    async describe(description) {
      await this.connection.setRemoteDescription(description);
      this.takeCandidates(this.#early.splice(0));
    }
    /** @param {Candidate[]} candidates of the other side */
    takeCandidates(candidates) {
      if (this.#closed) return;
      if (!this.connection.remoteDescription) {
        this.#early.push(...candidates);
        return;
      }
      for (const candidate of candidates) {
        this.connection.addIceCandidate(candidate).catch(() => {
        });
      }
    }
    /** Another way is being looked for. */
    restarted() {
      if (this.state !== "connected") this.#expectConnection();
    }
    close() {
      if (this.#closed) return;
      this.#closed = true;
      clearTimeout(this.#gathering);
      clearTimeout(this.#patience);
      this.connection.close();
    }
    /** @param {RTCIceCandidate | null} candidate null: there are no more */
    #gather(candidate) {
      if (this.#closed) return;
      if (candidate?.candidate) this.#found.push(
        /** @type {Candidate} */
        candidate.toJSON()
      );
      clearTimeout(this.#gathering);
      if (this.#found.length === 0) return;
      this.#gathering = setTimeout(
        () => this.#handlers.found(this.#found.splice(0)),
        candidate ? GATHER_MS : 0
      );
    }
    #stateChanged() {
      if (this.#closed) return;
      const { state } = this;
      if (state === "connected") clearTimeout(this.#patience);
      else if (state === "failed") this.#lost();
      else if (state === "disconnected") this.#wait(DISCONNECTED_MS, () => this.#lost());
      this.#handlers.state(state);
    }
    #lost() {
      this.#expectConnection();
      this.#handlers.lost();
    }
    #expectConnection() {
      this.#wait(CONNECT_MS, () => {
        if (this.state === "connected") return;
        if (this.#handlers.reachable()) this.#handlers.failed();
        else this.#expectConnection();
      });
    }
    /**
     * @param {number} ms
     * @param {() => void} task
     */
    #wait(ms, task) {
      clearTimeout(this.#patience);
      this.#patience = setTimeout(task, ms);
    }
  };

  // js/opentok/p2p/receiver.js
  var P2pReceiver = class {
    #options;
    #pair;
    /** Descriptions one after the other. @type {Promise<unknown>} */
    #work = Promise.resolve();
    /** @type {(receivers: Receivers) => void} */
    #arrived = () => {
    };
    /** @type {(error: OpenTokError) => void} */
    #abandoned = () => {
    };
    /** What the stream comes out of, once it has been offered. @type {Promise<Receivers>} */
    receivers;
    /** @param {Options} options */
    constructor(options) {
      this.#options = options;
      this.receivers = new Promise((resolve, reject) => {
        this.#arrived = resolve;
        this.#abandoned = reject;
      });
      this.receivers.catch(() => {
      });
      this.#pair = new P2pConnection(options.connection, {
        found: (candidates) => options.send({ type: "peer.ice", candidates }),
        state: options.onState,
        lost: () => this.restart(),
        failed: options.failed,
        reachable: options.reachable
      });
    }
    get to() {
      return this.#options.to;
    }
    get state() {
      return this.#pair.state;
    }
    /** @param {Want} want */
    ask(want) {
      if (!this.#pair.isClosed) this.#options.send({ type: "peer.want", ...want });
    }
    /** @param {Description} offer */
    offered(offer) {
      this.#work = this.#work.then(async () => {
        const { connection } = this.#pair;
        try {
          await this.#pair.describe(offer);
          await connection.setLocalDescription(await connection.createAnswer());
        } catch {
          return;
        }
        if (this.#pair.isClosed) return;
        const { sdp = "" } = connection.localDescription ?? {};
        this.#options.send({ type: "peer.sdp", description: { type: "answer", sdp } });
        const of = (kind) => connection.getReceivers().find(({ track }) => track.kind === kind);
        const [audio, video] = [of("audio"), of("video")];
        if (audio && video) this.#arrived({ audio, video });
      });
    }
    /** @param {Candidate[]} candidates */
    takeCandidates(candidates) {
      this.#pair.takeCandidates(candidates);
    }
    /** Asks for another way. */
    restart() {
      this.#pair.restarted();
      this.ask({ restart: true });
    }
    close() {
      if (this.#pair.isClosed) return;
      this.#pair.close();
      this.#abandoned(
        new OpenTokError(1501, "OT_STREAM_DESTROYED", "The subscription ended before it began.")
      );
    }
  };

  // js/opentok/p2p/sender.js
  var MIN_BITRATE = 15e4;
  var MAX_SCALE = 8;
  var RESTART_PAUSE_MS = 2e3;
  var P2pSender = class {
    #options;
    #pair;
    /** @type {Record<Kind, RTCRtpSender>} */
    senders;
    /** @type {Record<Kind, Outgoing | null>} */
    #tracks;
    #wanted = { audio: true, video: true, height: 0, frameRate: 0 };
    /** One change of what is sent at a time. @type {Promise<unknown>} */
    #work = Promise.resolve();
    /** An offer should follow the one that is not answered yet. */
    #again = false;
    #offering = false;
    #restartedAt = Number.NEGATIVE_INFINITY;
    /**
     * @param {Outgoing[]} tracks
     * @param {any} options
     */
    constructor(tracks, options) {
      const { connection, stream, send, failed, reachable } = options;
      this.#options = options;
      this.#pair = new P2pConnection(connection, {
        found: (candidates) => send({ type: "peer.ice", candidates }),
        state: () => {
        },
        lost: () => this.restart(),
        failed,
        reachable
      });
      const of = (kind) => tracks.find((each) => each.kind === kind) ?? null;
      this.#tracks = { audio: of("audio"), video: of("video") };
      const add = (kind) => connection.addTransceiver(kind, {
        direction: "sendonly",
        ...stream && { streams: [stream] }
      }).sender;
      this.senders = { audio: add("audio"), video: add("video") };
    }
    get to() {
      return this.#options.to;
    }
    /**
     * The subscriber asks for the stream, or for it otherwise than before.
     *
     * @param {Want} want
     */
    want({ restart, ...wanted }) {
      Object.assign(this.#wanted, wanted);
      this.apply();
      if (restart) this.restart();
    }
    /** @param {Kind} kind @param {MediaStreamTrack | null} track @returns {Promise<void>} */
    replaceTrack(kind, track) {
      const sent = this.#tracks[kind];
      this.#tracks[kind] = { ...sent, kind, track };
      return this.apply();
    }
    /** Sends what there is, as far as it is wanted. @returns {Promise<void>} */
    apply() {
      const done = this.#work.then(async () => {
        if (this.#pair.isClosed) return;
        for (
          const kind of
          /** @type {const} */
          ["audio", "video"]
        ) {
          const track = this.#wanted[kind] ? this.#tracks[kind]?.track ?? null : null;
          if (this.senders[kind].track !== track) await this.senders[kind].replaceTrack(track);
        }
        await this.#limit();
      });
      this.#work = done.catch(() => {
      });
      return done;
    }
    /** Makes the picture as large, and as frequent, as it is wanted. */
    async #limit() {
      const { track, encodings } = this.#tracks.video ?? {};
      const parameters = this.senders.video.getParameters();
      const [encoding] = parameters.encodings ?? [];
      if (!track || !encoding) return;
      const full = encodings?.at(-1);
      const { height, frameRate } = this.#wanted;
      const ratio = height > 0 ? (track.getSettings().height ?? 0) / height : 1;
      const scale = Math.min(Math.max(ratio, 1), MAX_SCALE);
      const bits = full?.maxBitrate ?? 1e6;
      const rates = [full?.maxFramerate ?? 0, frameRate].filter((rate) => rate > 0);
      encoding.scaleResolutionDownBy = scale;
      encoding.maxBitrate = Math.max(Math.round(bits / scale), Math.min(bits, MIN_BITRATE));
      if (rates.length > 0) encoding.maxFramerate = Math.min(...rates);
      else delete encoding.maxFramerate;
      await this.senders.video.setParameters(parameters);
    }
    /** Offers, now or as soon as the offer before is answered. */
    async offer() {
      if (this.#offering) {
        this.#again = true;
        return;
      }
      this.#offering = true;
      try {
        await this.apply();
        const { connection } = this.#pair;
        await connection.setLocalDescription(await connection.createOffer());
        const { sdp = "" } = connection.localDescription ?? {};
        if (!this.#pair.isClosed) {
          this.#options.send({ type: "peer.sdp", description: { type: "offer", sdp } });
        }
      } catch {
      }
    }
    /** @param {Description} answer */
    async answered(answer) {
      if (this.#pair.connection.signalingState !== "have-local-offer") return;
      try {
        await this.#pair.describe(answer);
      } catch {
        return;
      }
      this.#offering = false;
      this.apply().catch(() => {
      });
      if (!this.#again) return;
      this.#again = false;
      this.restart();
    }
    /** @param {import('../messages.js').Candidate[]} candidates */
    takeCandidates(candidates) {
      this.#pair.takeCandidates(candidates);
    }
    /** Looks for another way to the subscriber. */
    restart() {
      const now = performance.now();
      if (this.#pair.isClosed || now - this.#restartedAt < RESTART_PAUSE_MS) return;
      if (!this.#offering) {
        this.#restartedAt = now;
        this.#pair.connection.restartIce();
      }
      this.#pair.restarted();
      this.offer();
    }
    get state() {
      return this.#pair.state;
    }
    close() {
      this.#pair.close();
    }
  };

  // js/opentok/p2p/negotiation.js
  var RETRY_DELAY_MS = 500;
  var ATTEMPTS = 4;
  var GONE = ["OT_NOT_FOUND", "OT_STREAM_NOT_FOUND"];
  var P2pNegotiator = class {
    #options;
    #lastPair = 0;
    /** This client's streams. @type {Map<string, { tracks: Outgoing[], senders: Map<string, P2pSender> }>} */
    #published = /* @__PURE__ */ new Map();
    /** Subscriptions by pair number. @type {Map<number, P2pReceiver>} */
    #receivers = /* @__PURE__ */ new Map();
    /** @param {Options} options */
    constructor(options) {
      this.#options = options;
    }
    /**
     * Registers a stream. It is sent to each connection that asks for it.
     *
     * @param {string} streamId
     * @param {Outgoing[]} tracks
     */
    publish(streamId, tracks) {
      this.#published.set(streamId, { tracks, senders: /* @__PURE__ */ new Map() });
    }
    /** @param {string} streamId */
    unpublish(streamId) {
      for (const sender of this.senders(streamId)) sender.close();
      this.#published.delete(streamId);
    }
    /**
     * Replaces a track at all receivers.
     *
     * @param {string} streamId
     * @param {Kind} kind
     * @param {MediaStreamTrack | null} track
     */
    async replaceTrack(streamId, kind, track) {
      const published = this.#published.get(streamId);
      if (!published) return;
      published.tracks = published.tracks.map(
        (each) => each.kind === kind ? { ...each, track } : each
      );
      await Promise.all(this.senders(streamId).map((each) => each.replaceTrack(kind, track)));
    }
    /** The senders of a stream, one for each of its receivers. @param {string} streamId @returns {P2pSender[]} */
    senders(streamId) {
      return [...this.#published.get(streamId)?.senders.values() ?? []];
    }
    /**
     * Asks a publisher for a stream.
     *
     * @param {string} streamId
     * @param {string} to its publisher's connection
     * @param {Want} want
     * @param {(state: RTCPeerConnectionState) => void} onState
     * @returns {{ receiver: P2pReceiver, close: () => void }}
     */
    subscribe(streamId, to, want, onState) {
      this.#lastPair += 1;
      const pair = this.#lastPair;
      const send = (message) => this.#send({ to, streamId, pair, ...message }, true, () => close(false));
      const receiver = new P2pReceiver({
        to,
        connection: this.#options.createConnection(),
        send,
        onState,
        failed: () => this.#options.failed(streamId),
        reachable: this.#options.reachable
      });
      const close = (notify) => {
        if (!this.#receivers.delete(pair)) return;
        receiver.close();
        if (notify) send({ type: "peer.bye" });
      };
      this.#receivers.set(pair, receiver);
      receiver.ask(want);
      return { receiver, close: () => close(true) };
    }
    /** @param {PeerEvent} event */
    handle(event) {
      const toPublisher = this.#published.has(event.streamId);
      if (toPublisher) this.#onSubscriberEvent(event);
      else this.#onPublisherEvent(event);
    }
    /** @param {PeerEvent} event */
    #onSubscriberEvent(event) {
      const { from, streamId, pair } = event;
      const published = this.#published.get(streamId);
      if (!published) return;
      const key = `${from} ${pair}`;
      const sender = published.senders.get(key);
      switch (event.type) {
        case "peer.want":
          if (sender) sender.want(wantOf(event));
          else this.#addSender(streamId, published, key, event);
          break;
        case "peer.sdp":
          if (event.description.type === "answer") sender?.answered(event.description);
          break;
        case "peer.ice":
          sender?.takeCandidates(event.candidates);
          break;
        case "peer.bye":
          sender?.close();
          published.senders.delete(key);
          break;
      }
    }
    /**
     * @param {string} streamId
     * @param {{ tracks: Outgoing[], senders: Map<string, P2pSender> }} published
     * @param {string} key
     * @param {Extract<PeerEvent, { type: 'peer.want' }>} want
     */
    #addSender(streamId, published, key, { from: to, pair, ...want }) {
      const remove = () => {
        sender.close();
        published.senders.delete(key);
      };
      const sender = new P2pSender(published.tracks, {
        to,
        connection: this.#options.createConnection(),
        stream: this.#options.createStream?.(),
        send: (message) => this.#send({ to, streamId, pair, ...message }, false, remove),
        failed: () => this.#options.failed(streamId),
        reachable: this.#options.reachable
      });
      published.senders.set(key, sender);
      sender.want(wantOf(want));
      sender.offer();
    }
    /** @param {PeerEvent} event */
    #onPublisherEvent(event) {
      const receiver = this.#receivers.get(event.pair);
      if (!receiver || receiver.to !== event.from) return;
      if (event.type === "peer.sdp" && event.description.type === "offer") {
        receiver.offered(event.description);
      } else if (event.type === "peer.ice") {
        receiver.takeCandidates(event.candidates);
      }
    }
    /** Closes the senders to a connection that has left. @param {string} connectionId */
    left(connectionId) {
      for (const { senders } of this.#published.values()) {
        for (const [key, sender] of [...senders]) {
          if (sender.to !== connectionId) continue;
          sender.close();
          senders.delete(key);
        }
      }
    }
    /** Restarts ICE on all connections. */
    restart() {
      for (const streamId of this.#published.keys()) {
        for (const sender of this.senders(streamId)) sender.restart();
      }
      for (const receiver of this.#receivers.values()) receiver.restart();
    }
    /** Whether all peer connections are connected. @returns {boolean} */
    get isConnected() {
      const senders = [...this.#published.keys()].flatMap((id) => this.senders(id));
      return [...senders, ...this.#receivers.values()].every(({ state }) => state === "connected");
    }
    /** Unpublishes all streams. Subscriptions are closed by their subscribers. */
    close() {
      for (const streamId of [...this.#published.keys()]) this.unpublish(streamId);
    }
    /**
     * @param {any} message
     * @param {boolean} toPublisher
     * @param {() => void} gone called when the other side or the stream is gone
     */
    #send(message, toPublisher, gone3) {
      if (message.to === this.#options.own) {
        const event = { ...message, from: message.to };
        setTimeout(
          () => toPublisher ? this.#onSubscriberEvent(event) : this.#onPublisherEvent(event),
          0
        );
        return;
      }
      this.#request(message, gone3);
    }
    /** @param {any} message @param {() => void} gone */
    async #request(message, gone3) {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
        try {
          await this.#options.request(message);
          return;
        } catch (error) {
          if (GONE.includes(error?.name)) gone3();
          if (error?.name !== "OT_RATE_LIMIT_EXCEEDED") return;
          await new Promise((resolve) => setTimeout(resolve, attempt * RETRY_DELAY_MS));
        }
      }
    }
  };
  function wantOf(event) {
    const want = {};
    for (const key of ["audio", "video", "height", "frameRate", "restart"]) {
      if (event[key] !== void 0 && event[key] !== null) want[key] = event[key];
    }
    return want;
  }

  // js/opentok/slots.js
  var FIRST_SLOTS = 2;
  var GROWTH = 4;
  var MAX_SLOTS = 24;
  var Slots = class {
    #used = /* @__PURE__ */ new Set();
    #count = 0;
    /** How many there are, used or free. */
    get count() {
      return this.#count;
    }
    /**
     * How many to make before the next {@link take}: none while one is free; else several at once, so that a room
     * that fills up does not negotiate for everyone who comes.
     */
    get missing() {
      if (this.#used.size < this.#count) return 0;
      return Math.min(Math.max(this.#count, FIRST_SLOTS), GROWTH, MAX_SLOTS - this.#count);
    }
    /** @returns {number} the number of the new slot */
    add() {
      return this.#count++;
    }
    /** @returns {number | null} the lowest free slot; null: there is none */
    take() {
      for (let slot = 0; slot < this.#count; slot += 1) {
        if (this.#used.has(slot)) continue;
        this.#used.add(slot);
        return slot;
      }
      return null;
    }
    /** @param {number} slot */
    free(slot) {
      this.#used.delete(slot);
    }
  };

  // js/opentok/peer.js
  var DISCONNECTED_MS2 = 3e3;
  var RESTART_PAUSE_MS2 = 3e3;
  var ANSWER_TIMEOUT_MS = 15e3;
  var PASSING = ["OT_STREAM_NOT_FOUND", "OT_RATE_LIMIT_EXCEEDED"];
  var ATTEMPTS2 = 4;
  var PATIENCE_MS = 300;
  var CONNECT_TIMEOUT_MS = 2e4;
  var Peer = class {
    #options;
    /** @type {RTCPeerConnection | null} */
    #connection = null;
    #generation = 0;
    /** @type {Map<RTCRtpTransceiver, { streamId: string, kind: Kind }>} */
    #sending = /* @__PURE__ */ new Map();
    /** @type {ReceiveSlot[]} */
    #receiving = [];
    #slots = new Slots();
    /** Who waits for the next negotiation. @type {{ resolve: () => void, reject: (error: any) => void }[]} */
    #waiting = [];
    #negotiating = false;
    /** Ends the wait for an answer. @type {(error: OpenTokError) => void} */
    #giveUp = () => {
    };
    #closed = false;
    /** @type {any} */
    #restartTimer = null;
    #restartedAt = Number.NEGATIVE_INFINITY;
    /** @type {Set<() => void>} */
    #stateWatchers = /* @__PURE__ */ new Set();
    /** @param {Options} options */
    constructor(options) {
      this.#options = options;
    }
    /** `new` before the first negotiation. @returns {RTCPeerConnectionState} */
    get state() {
      return this.#connection?.connectionState ?? "new";
    }
    /**
     * Sends tracks as a stream the server knows already.
     *
     * @param {string} streamId
     * @param {Outgoing[]} tracks
     * @returns {Promise<Partial<Record<Kind, RTCRtpTransceiver>>>} once the server has answered
     */
    async publish(streamId, tracks) {
      const connection = this.#open();
      const stream = this.#options.createStream?.();
      const made = {};
      for (const { kind, track, encodings } of tracks) {
        const transceiver = connection.addTransceiver(track ?? kind, {
          direction: "sendonly",
          ...stream && { streams: [stream] },
          ...encodings && { sendEncodings: encodings }
        });
        this.#preferCodecs(transceiver, kind);
        this.#sending.set(transceiver, { streamId, kind });
        made[kind] = transceiver;
      }
      try {
        await this.#negotiate();
      } catch (error) {
        this.#stopSending(streamId);
        throw error;
      }
      return made;
    }
    /**
     * Stops sending a stream. The m-lines are used again by the next one.
     *
     * @param {string} streamId
     */
    unpublish(streamId) {
      if (this.#stopSending(streamId)) this.#negotiate().catch(() => {
      });
    }
    /**
     * A slot that shows nothing yet, negotiated.
     *
     * @returns {Promise<{ slot: number, audio: RTCRtpReceiver, video: RTCRtpReceiver }>}
     */
    async takeSlot() {
      this.#open();
      this.#addSlots();
      const slot = this.#slots.take();
      if (slot === null) {
        throw new OpenTokError(
          1501,
          "OT_STREAM_LIMIT_EXCEEDED",
          "Too many streams are subscribed to."
        );
      }
      const { audio, video, negotiated } = (
        /** @type {ReceiveSlot} */
        this.#receiving[slot]
      );
      try {
        if (!negotiated) await this.#negotiate();
      } catch (error) {
        this.#slots.free(slot);
        throw error;
      }
      return { slot, audio: audio.receiver, video: video.receiver };
    }
    /** @param {number} slot */
    freeSlot(slot) {
      this.#slots.free(slot);
    }
    /**
     * Resolves when media can flow.
     *
     * @param {number} [timeout] ms
     * @returns {Promise<boolean>} false: they cannot
     */
    connected(timeout = CONNECT_TIMEOUT_MS) {
      return new Promise((resolve) => {
        const finish = (outcome) => {
          this.#stateWatchers.delete(check);
          clearTimeout(timer);
          resolve(outcome);
        };
        const check = () => {
          if (this.state === "connected") finish(true);
          else if (this.#closed) finish(false);
        };
        const timer = setTimeout(() => finish(false), timeout);
        this.#stateWatchers.add(check);
        check();
      });
    }
    /** Looks for a new path through the network. */
    restart() {
      this.#stopRestartTimer();
      if (!this.#connection || this.#closed || this.#generation === 0) return;
      const pause = this.#restartedAt + RESTART_PAUSE_MS2 - performance.now();
      if (pause > 0) {
        this.#restartIn(pause);
        return;
      }
      this.#restartedAt = performance.now();
      this.#connection.restartIce();
      this.#negotiate().catch(() => this.#restartIn(RESTART_PAUSE_MS2));
    }
    close() {
      if (this.#closed) return;
      this.#closed = true;
      this.#stopRestartTimer();
      this.#connection?.close();
      this.#giveUp(closed());
      for (const { reject } of this.#waiting.splice(0)) reject(closed());
      for (const check of [...this.#stateWatchers]) check();
    }
    /** @returns {RTCPeerConnection} */
    #open() {
      if (this.#closed) throw closed();
      if (this.#connection) return this.#connection;
      const connection = this.#options.createConnection();
      this.#connection = connection;
      connection.onconnectionstatechange = () => this.#stateChanged();
      if (this.#options.receives !== false) this.#addSlots();
      return connection;
    }
    /** Makes slots if none is free. */
    #addSlots() {
      const connection = (
        /** @type {RTCPeerConnection} */
        this.#connection
      );
      for (let missing = this.#slots.missing; missing > 0; missing -= 1) {
        const audio = connection.addTransceiver("audio", { direction: "recvonly" });
        const video = connection.addTransceiver("video", { direction: "recvonly" });
        this.#preferCodecs(audio, "audio");
        this.#preferCodecs(video, "video");
        this.#receiving[this.#slots.add()] = { audio, video, negotiated: false };
      }
    }
    /**
     * @param {RTCRtpTransceiver} transceiver
     * @param {Kind} kind
     */
    #preferCodecs(transceiver, kind) {
      const codecs = this.#options.codecs?.(kind) ?? [];
      if (codecs.length > 0) transceiver.setCodecPreferences?.(codecs);
    }
    /** @param {string} streamId */
    #stopSending(streamId) {
      let any = false;
      for (const [transceiver, { streamId: of }] of [...this.#sending]) {
        if (of !== streamId) continue;
        any = true;
        this.#sending.delete(transceiver);
        if (!this.#closed) transceiver.stop();
      }
      return any;
    }
    /** @returns {Promise<void>} once a negotiation that began after this call is done */
    #negotiate() {
      return new Promise((resolve, reject) => {
        if (this.#closed) {
          reject(closed());
          return;
        }
        this.#waiting.push({ resolve, reject });
        if (!this.#negotiating) this.#run();
      });
    }
    async #run() {
      this.#negotiating = true;
      await new Promise((resolve) => setTimeout(resolve, 0));
      while (this.#waiting.length > 0) {
        const served = this.#waiting.splice(0);
        try {
          await this.#exchangeWithPatience();
          for (const { resolve } of served) resolve();
        } catch (error) {
          for (const { reject } of served) reject(error);
        }
      }
      this.#negotiating = false;
    }
    /** Refusals that pass by themselves are no reason to give up. */
    async #exchangeWithPatience() {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await this.#exchange();
          return;
        } catch (error) {
          if (this.#closed || attempt === ATTEMPTS2 || !PASSING.includes(error?.name)) throw error;
          await new Promise((resolve) => setTimeout(resolve, attempt * PATIENCE_MS));
        }
      }
    }
    async #exchange() {
      const connection = this.#connection;
      if (this.#closed || !connection) throw closed();
      const slots = [...this.#receiving];
      await connection.setLocalDescription(await connection.createOffer());
      try {
        const { generation, sdp } = await this.#ask(connection, slots);
        if (this.#closed) throw closed();
        if (generation !== this.#generation) throw unexpected("The answer belongs to another offer.");
        await connection.setRemoteDescription({ type: "answer", sdp });
      } catch (error) {
        if (!this.#closed && connection.signalingState === "have-local-offer") {
          await connection.setLocalDescription({ type: "rollback" });
        }
        throw error;
      }
      for (const slot of slots) slot.negotiated = true;
    }
    /**
     * Sends the offer. The time for the answer counts from when it was first sent, not while it waits for a socket.
     *
     * @param {RTCPeerConnection} connection
     * @param {ReceiveSlot[]} slots
     * @returns {Promise<{ generation: number, sdp: string }>}
     */
    #ask(connection, slots) {
      return new Promise((resolve, reject) => {
        let timer = null;
        let waiting = true;
        this.#giveUp = (error) => {
          waiting = false;
          clearTimeout(timer);
          reject(error);
        };
        const late = () => {
          this.#giveUp(
            new OpenTokError(1021, "OT_TIMEOUT", "The server did not answer the offer in time.")
          );
        };
        const makeOffer = () => {
          if (!waiting) return null;
          timer ??= setTimeout(late, ANSWER_TIMEOUT_MS);
          return this.#describe(connection, slots);
        };
        this.#options.sendOffer(makeOffer).then(resolve, reject).finally(() => clearTimeout(timer));
      });
    }
    /**
     * The offer as it is sent, each time under a new number: an answer that was lost with its socket is asked for again.
     *
     * @param {RTCPeerConnection} connection
     * @param {ReceiveSlot[]} slots
     * @returns {Offer}
     */
    #describe(connection, slots) {
      this.#generation += 1;
      const tracks = [];
      for (const [{ mid, currentDirection }, { streamId, kind }] of this.#sending) {
        if (mid !== null && currentDirection !== "stopped") tracks.push({ mid, streamId, kind });
      }
      return {
        generation: this.#generation,
        sdp: connection.localDescription?.sdp ?? "",
        tracks,
        slots: slots.map(({ audio, video }, slot) => ({
          slot,
          audioMid: audio.mid ?? "",
          videoMid: video.mid ?? ""
        }))
      };
    }
    #stateChanged() {
      if (this.#closed) return;
      const state = this.state;
      if (state === "failed") this.restart();
      else if (state === "disconnected") this.#restartIn(DISCONNECTED_MS2);
      else if (state === "connected") this.#stopRestartTimer();
      for (const check of [...this.#stateWatchers]) check();
      this.#options.onState?.(state);
    }
    /** @param {number} ms */
    #restartIn(ms) {
      this.#stopRestartTimer();
      this.#restartTimer = setTimeout(() => {
        if (this.state !== "connected") this.restart();
      }, ms);
    }
    #stopRestartTimer() {
      clearTimeout(this.#restartTimer);
      this.#restartTimer = null;
    }
  };
  function closed() {
    return new OpenTokError(1010, "OT_DISCONNECTED", "The session was disconnected.");
  }
  function unexpected(message) {
    return new OpenTokError(2001, "OT_UNEXPECTED_SERVER_RESPONSE", message);
  }

  // js/opentok/publication.js
  var Publication = class {
    streamId;
    #peer;
    #p2p;
    /** What is sent, as it is now. @type {Outgoing[]} */
    #tracks;
    /** Through the server. @type {Partial<Record<Kind, RTCRtpTransceiver>> | null} */
    #made = null;
    /** @type {Promise<void> | null} */
    #routing = null;
    #ended = false;
    /**
     * @param {string} streamId
     * @param {Outgoing[]} tracks
     * @param {{ peer: Peer, p2p: P2pNegotiator }} ways
     */
    constructor(streamId, tracks, { peer, p2p }) {
      this.streamId = streamId;
      this.#tracks = tracks;
      this.#peer = peer;
      this.#p2p = p2p;
    }
    /** Sends it to whoever asks for it. */
    useP2p() {
      this.#p2p.publish(this.streamId, this.#tracks);
    }
    /** Sends it to the server. @returns {Promise<void>} once that has answered */
    route() {
      this.#routing ??= this.#route();
      return this.#routing;
    }
    async #route() {
      const made = await this.#peer.publish(this.streamId, this.#tracks);
      if (this.#ended) {
        this.#peer.unpublish(this.streamId);
        return;
      }
      this.#made = made;
      for (const { kind, track } of this.#tracks) await made[kind]?.sender.replaceTrack(track);
    }
    /** @param {Kind} kind @param {MediaStreamTrack | null} track */
    async replaceTrack(kind, track) {
      this.#tracks = this.#tracks.map((each) => each.kind === kind ? { ...each, track } : each);
      await this.#made?.[kind]?.sender.replaceTrack(track);
      await this.#p2p.replaceTrack(this.streamId, kind, track);
    }
    /** By what it is sent: to the server, or to each subscriber. @returns {Sent[]} */
    get sent() {
      const made = this.#made;
      if (made) return [{ senders: [made.audio?.sender, made.video?.sender] }];
      return this.#p2p.senders(this.streamId).map(({ to, senders }) => ({ connectionId: to, senders: [senders.audio, senders.video] }));
    }
    /** Ends the sending. The server knows, or is told by somebody else. */
    end() {
      this.#ended = true;
      if (this.#made) this.#peer.unpublish(this.streamId);
      this.#p2p.unpublish(this.streamId);
    }
  };

  // js/opentok/subscription.js
  var OVERLAP_MS = 3e3;
  var Subscription = class {
    streamId;
    /** Its tracks. */
    media = new MediaStream();
    /** Called when the tracks were exchanged for others. */
    onExchange = () => {
    };
    #ways;
    #wanted;
    #onState;
    /** @type {Way | null} */
    #way = null;
    #closed = false;
    /** Ends a way that has not come about. */
    #abandon = () => {
    };
    /** @type {Set<() => void>} */
    #watchers = /* @__PURE__ */ new Set();
    /**
     * @param {string} streamId
     * @param {Wanted} wanted
     * @param {(state: RTCPeerConnectionState) => void} onState
     * @param {Ways} ways
     */
    constructor(streamId, wanted, onState, ways) {
      this.streamId = streamId;
      this.#wanted = wanted;
      this.#onState = onState;
      this.#ways = ways;
    }
    /** @returns {RTCRtpReceiver | undefined} */
    get audio() {
      return this.#way?.audio;
    }
    /** @returns {RTCRtpReceiver | undefined} */
    get video() {
      return this.#way?.video;
    }
    /** Takes the stream from its publisher. @param {string} publisher connection id */
    async useP2p(publisher) {
      const { receiver, close } = this.#ways.p2p.subscribe(
        this.streamId,
        publisher,
        this.#wanted,
        (state) => {
          if (!this.#way || this.#way.update === update) this.stateChanged(state);
        }
      );
      const update = (change) => receiver.ask(change);
      this.#abandon = close;
      const { audio, video } = await receiver.receivers;
      if (this.#closed) throw ended();
      this.#take({ audio, video, state: () => receiver.state, update, close });
      this.stateChanged(receiver.state);
    }
    /** Takes the stream from the server. */
    async route() {
      const { peer, request } = this.#ways;
      const { slot, audio, video } = await peer.takeSlot();
      const wanted = this.#wanted;
      try {
        if (this.#closed) throw ended();
        await request({ type: "subscribe", slot, streamId: this.streamId, ...wanted });
      } catch (error) {
        peer.freeSlot(slot);
        throw error;
      }
      const tell = (message) => request(message).catch(() => {
      });
      const way = {
        audio,
        video,
        state: () => peer.state,
        update: (change) => tell({ type: "updateSubscription", slot, ...change }),
        close: () => {
          tell({ type: "unsubscribe", slot });
          peer.freeSlot(slot);
        }
      };
      if (this.#closed) {
        way.close();
        throw ended();
      }
      if (this.#wanted !== wanted) way.update(this.#wanted);
      if (this.#way) await this.#firstMedia(way);
      if (this.#closed) {
        way.close();
        throw ended();
      }
      const former = this.#way;
      this.#take(way);
      former?.close();
      this.stateChanged(peer.state);
    }
    /** Gives up waiting for the publisher's browser. */
    abandon() {
      if (!this.#way) this.#abandon();
    }
    /** @param {Wanted} change */
    update(change) {
      if (this.#closed) return;
      this.#wanted = { ...this.#wanted, ...change };
      this.#way?.update(change);
    }
    /** @param {RTCPeerConnectionState} state */
    stateChanged(state) {
      if (this.#closed) return;
      for (const check of [...this.#watchers]) check();
      this.#onState(state);
    }
    /** @returns {Promise<boolean>} whether media can flow, as soon as that is known */
    connected() {
      return new Promise((resolve) => {
        const finish = (outcome) => {
          this.#watchers.delete(check);
          clearTimeout(timer);
          resolve(outcome);
        };
        const check = () => {
          if (this.#closed) finish(false);
          else if (this.#way?.state() === "connected") finish(true);
        };
        const timer = setTimeout(() => finish(false), CONNECT_TIMEOUT_MS);
        this.#watchers.add(check);
        check();
      });
    }
    close() {
      if (this.#closed) return;
      this.#closed = true;
      if (this.#way) this.#way.close();
      else this.#abandon();
      for (const check of [...this.#watchers]) check();
    }
    /** @param {Way} way */
    #take(way) {
      this.#way = way;
      const former = this.media.getTracks();
      for (const { track } of [way.audio, way.video]) this.media.addTrack(track);
      for (const track of former) this.media.removeTrack(track);
      if (former.length > 0) this.onExchange();
    }
    /** Waits, but not for long, until a way brings what the one before does. @param {Way} way */
    #firstMedia({ audio, video }) {
      const former = this.#way;
      const awaited = [
        { track: video.track, before: former?.video.track },
        { track: audio.track, before: former?.audio.track }
      ].find(({ before }) => before && !before.muted)?.track;
      return new Promise((resolve) => {
        if (!awaited?.muted) {
          resolve();
          return;
        }
        const timer = setTimeout(resolve, OVERLAP_MS);
        awaited.addEventListener(
          "unmute",
          () => {
            clearTimeout(timer);
            resolve();
          },
          { once: true }
        );
      });
    }
  };
  function ended() {
    return new OpenTokError(1501, "OT_STREAM_DESTROYED", "The subscription ended before it began.");
  }

  // js/opentok/media.js
  var OVERLAP_MS2 = 8e3;
  var Media = class {
    #signaling;
    #peer;
    #p2p;
    #relayed;
    /** @type {Map<string, Publication>} */
    #publications = /* @__PURE__ */ new Map();
    /** @type {Set<Subscription>} */
    #subscriptions = /* @__PURE__ */ new Set();
    #closed = false;
    /**
     * @param {Signaling} signaling
     * @param {Options} [options]
     */
    constructor(signaling, { receives = true, relayed = false, own = "", createConnection } = {}) {
      this.#signaling = signaling;
      this.#relayed = relayed;
      const create = createConnection ?? (() => new RTCPeerConnection({ bundlePolicy: "max-bundle" }));
      const createStream = () => new MediaStream();
      this.#peer = new Peer({
        createConnection: create,
        sendOffer: async (makeOffer) => {
          const reply = await signaling.request(() => {
            const offer = makeOffer();
            return offer && { type: "offer", ...offer };
          });
          return { generation: reply.generation, sdp: reply.sdp };
        },
        onState: (state) => {
          for (const subscription of this.#subscriptions) {
            if (!this.#relayed) subscription.stateChanged(state);
          }
        },
        receives,
        codecs: (kind) => offeredCodecs(kind, supportedCodecs(kind)),
        createStream
      });
      this.#p2p = new P2pNegotiator({
        own,
        request: (message) => signaling.request(message),
        createConnection: create,
        createStream,
        reachable: () => signaling.state === "open",
        failed: (streamId) => this.#send({ type: "peer.failed", streamId })
      });
    }
    /** Whether media can flow as they should. */
    get isConnected() {
      return this.#relayed ? this.#p2p.isConnected : this.#peer.state === "connected";
    }
    /**
     * @param {NewStream} stream
     * @param {Outgoing[]} tracks
     * @returns {Promise<Publication>} once others can subscribe to it and media can flow
     */
    async publish(stream, tracks) {
      const { streamId } = await this.#signaling.request({ type: "publish", ...stream });
      const ways = { peer: this.#peer, p2p: this.#p2p };
      const publication = new Publication(streamId, tracks, ways);
      try {
        if (!await this.#open(publication)) {
          await publication.route();
          if (!await this.#peer.connected()) throw noWay(1553);
        }
        if (this.#closed) throw noWay(1553);
        return publication;
      } catch (error) {
        this.unpublish(streamId);
        publication.end();
        throw error;
      }
    }
    /**
     * Lets others ask for a stream.
     *
     * @param {Publication} publication
     * @returns {Promise<boolean>} false: they have to get it through the server
     */
    async #open(publication) {
      const { streamId } = publication;
      if (this.#relayed) {
        publication.useP2p();
        this.#publications.set(streamId, publication);
        try {
          await this.#signaling.request({ type: "peer.open", streamId });
          return true;
        } catch (error) {
          if (this.#relayed) throw error;
          return false;
        }
      }
      this.#publications.set(streamId, publication);
      return false;
    }
    /**
     * @param {string} streamId
     * @param {StreamUpdate} change
     */
    updateStream(streamId, change) {
      this.#send({ type: "updateStream", streamId, ...change });
    }
    /** @param {string} streamId @param {boolean} mediaStopped what it showed ended by itself */
    unpublish(streamId, mediaStopped = false) {
      this.#send({ type: "unpublish", streamId, mediaStopped });
      this.unpublished(streamId);
    }
    /** The server has ended the stream already. @param {string} streamId */
    unpublished(streamId) {
      this.#publications.get(streamId)?.end();
      this.#publications.delete(streamId);
    }
    /**
     * @param {{ streamId: string, publisher: string }} stream
     * @param {Wanted} wanted
     * @param {(state: RTCPeerConnectionState) => void} [onState]
     * @returns {Promise<Subscription>} once there are tracks that media can come out of
     */
    async subscribe({ streamId, publisher }, wanted, onState = () => {
    }) {
      const subscription = new Subscription(streamId, wanted, onState, {
        peer: this.#peer,
        p2p: this.#p2p,
        request: (message) => this.#signaling.request(message)
      });
      this.#subscriptions.add(subscription);
      const end = subscription.close.bind(subscription);
      subscription.close = () => {
        this.#subscriptions.delete(subscription);
        end();
      };
      try {
        await this.#begin(subscription, publisher);
      } catch (error) {
        subscription.close();
        throw error;
      }
      return subscription;
    }
    /**
     * @param {Subscription} subscription
     * @param {string} publisher
     */
    async #begin(subscription, publisher) {
      if (this.#relayed) {
        try {
          await subscription.useP2p(publisher);
          return;
        } catch (error) {
          if (this.#relayed) throw error;
        }
      }
      await subscription.route();
    }
    /** From another browser. @param {PeerEvent} event */
    handle(event) {
      if (this.#relayed) this.#p2p.handle(event);
    }
    /** Somebody has left the session. @param {string} connectionId */
    left(connectionId) {
      this.#p2p.left(connectionId);
    }
    /** Media go through the server from now on: everything changes over, and is shown meanwhile as it was. */
    route() {
      if (!this.#relayed) return;
      this.#relayed = false;
      const publications = [...this.#publications.values()];
      for (const publication of publications) {
        publication.route().catch((error) => {
          if (!this.#closed) log.warn(`A stream could not be sent to the server: ${error?.message}`);
        });
      }
      setTimeout(() => this.#p2p.close(), OVERLAP_MS2);
      for (const subscription of this.#subscriptions) {
        if (subscription.audio) subscription.route().catch(() => subscription.stateChanged("failed"));
        else subscription.abandon();
      }
    }
    /** Looks for a new path through the network. */
    restart() {
      if (this.#relayed) this.#p2p.restart();
      else this.#peer.restart();
    }
    close() {
      if (this.#closed) return;
      this.#closed = true;
      for (const subscription of [...this.#subscriptions]) subscription.close();
      this.#p2p.close();
      this.#peer.close();
    }
    /** For requests whose refusal changes nothing. @param {ClientMessage} message */
    #send(message) {
      this.#signaling.request(message).catch(() => {
      });
    }
  };
  function noWay(code) {
    return new OpenTokError(
      code,
      "OT_ICE_WORKFLOW_FAILED",
      "No way was found for media between this browser and the server."
    );
  }
  function supportedCodecs(kind) {
    return RTCRtpReceiver.getCapabilities?.(kind)?.codecs ?? [];
  }

  // js/opentok/collection.js
  var Collection = class {
    /** @type {Map<string, T>} */
    #items = /* @__PURE__ */ new Map();
    get length() {
      return this.#items.size;
    }
    /** @param {string} id @returns {T | undefined} */
    get(id) {
      return this.#items.get(id);
    }
    /** @param {string} id */
    has(id) {
      return this.#items.has(id);
    }
    /**
     * @param {((item: T) => boolean) | Partial<T>} wanted a test, or properties and their values
     * @returns {T | undefined} the first
     */
    find(wanted) {
      return this.where(wanted)[0];
    }
    /**
     * @param {((item: T) => boolean) | Partial<T>} [wanted] absent: all
     * @returns {T[]} in order of arrival
     */
    where(wanted = {}) {
      const test = typeof wanted === "function" ? wanted : (item) => Object.entries(wanted).every(([property, value]) => item[property] === value);
      return [...this.#items.values()].filter(test);
    }
    /** @param {(item: T) => void} task */
    forEach(task) {
      this.where().forEach(task);
    }
    /** @template R @param {(item: T) => R} change @returns {R[]} */
    map(change) {
      return this.where().map(change);
    }
    /** For the session only. @param {T} item */
    add(item) {
      this.#items.set(item.id, item);
      return item;
    }
    /** For the session only. @param {string} id @returns {T | undefined} what was removed */
    remove(id) {
      const item = this.#items.get(id);
      this.#items.delete(id);
      return item;
    }
    /** For the session only. */
    clear() {
      this.#items.clear();
    }
  };

  // js/opentok/reason.js
  function openTokReason(reason) {
    return reason === "serverStopping" ? "networkDisconnected" : reason;
  }

  // js/opentok/members.js
  var Members = class {
    /** @type {Collection<Connection>} */
    connections = new Collection();
    /** Those of others. @type {Collection<Stream>} */
    streams = new Collection();
    /** Those recording now. @type {Collection<Archive>} */
    archives = new Collection();
    /** This client's own. @type {Collection<Stream>} */
    own = new Collection();
    clear() {
      this.connections.clear();
      this.streams.clear();
      this.archives.clear();
      this.own.clear();
    }
    /**
     * Everything that is there at the beginning, one event after the other; what an event tells of is in the
     * collections when it comes.
     *
     * @param {Welcome} welcome
     * @returns {Generator<OTEvent>}
     */
    *enter(welcome) {
      const { connectionId } = welcome.connection;
      const own = this.connection(welcome.connection);
      yield new OTEvent("sessionConnected", { connections: [], streams: [], archives: [] });
      const others = welcome.connections.filter((info) => info.connectionId !== connectionId);
      yield new OTEvent("connectionCreated", { connection: own });
      for (const info of others) yield this.#connectionCreated(info);
      for (const info of welcome.streams) {
        if (info.connectionId !== connectionId) yield* this.#streamCreated(info);
      }
      for (const info of welcome.archives) yield this.#archiveStarted(info);
    }
    /** @param {ConnectionInfo} info @returns {Connection} always the same object for one id */
    connection(info) {
      return this.connections.get(info.connectionId) ?? this.connections.add(new Connection(info));
    }
    /**
     * Whom a stream or a signal is from. A quiet client has not been told of them: it knows their id.
     *
     * @param {string} connectionId
     * @returns {Connection}
     */
    of(connectionId) {
      const known = this.connections.get(connectionId);
      if (known) return known;
      const stream = this.streams.find(({ connection }) => connection.connectionId === connectionId);
      return stream?.connection ?? new Connection({ connectionId, creationTime: 0, data: "" });
    }
    /**
     * What the page is told about a server's event. Signals and what concerns this client's own streams and
     * connection are the session's.
     *
     * @param {ServerEvent} event
     * @returns {Generator<OTEvent>}
     */
    *apply(event) {
      switch (event.type) {
        case "connectionCreated":
          if (!this.connections.has(event.connection.connectionId)) {
            yield this.#connectionCreated(event.connection);
          }
          break;
        case "connectionDestroyed": {
          const connection = this.connections.remove(event.connectionId);
          const reason = openTokReason(event.reason);
          if (connection) yield new OTEvent("connectionDestroyed", { connection, reason });
          break;
        }
        case "streamCreated":
          if (!this.#stream(event.stream.streamId)) yield* this.#streamCreated(event.stream);
          break;
        case "streamDestroyed": {
          const stream = this.streams.remove(event.streamId);
          const reason = openTokReason(event.reason);
          if (stream) yield new OTEvent("streamDestroyed", { stream, reason }, true);
          break;
        }
        case "streamChanged": {
          const stream = this.#stream(event.stream.streamId);
          if (stream) yield* this.changed(stream, event.stream);
          break;
        }
        case "archiveStarted":
          if (!this.archives.has(event.archive.id)) yield this.#archiveStarted(event.archive);
          break;
        case "archiveStopped": {
          const archive = this.archives.remove(event.archive.id);
          if (!archive) break;
          archive.status = "stopped";
          yield archiveEvent("archiveStopped", archive);
          break;
        }
        case "muteForced":
          yield new OTEvent("muteForced", { active: event.active });
          break;
      }
    }
    /**
     * @param {Stream} stream
     * @param {StreamUpdate} update
     * @returns {Generator<OTEvent>}
     */
    *changed(stream, update) {
      for (const change of stream.update(update)) {
        yield new OTEvent("streamPropertyChanged", { stream, ...change });
      }
    }
    /** @param {string} id */
    #stream(id) {
      return this.streams.get(id) ?? this.own.get(id);
    }
    /** @param {ConnectionInfo} info */
    #connectionCreated(info) {
      return new OTEvent("connectionCreated", { connection: this.connection(info) });
    }
    /** @param {StreamInfo} info @returns {Generator<OTEvent>} */
    *#streamCreated(info) {
      const stream = this.streams.add(new Stream(info, this.of(info.connectionId)));
      yield new OTEvent("streamCreated", { stream });
    }
    /** @param {ArchiveInfo} info */
    #archiveStarted({ id, name: name2 }) {
      return archiveEvent("archiveStarted", this.archives.add({ id, name: name2, status: "started" }));
    }
  };
  function archiveEvent(type, archive) {
    const { id, name: name2, status } = archive;
    return new OTEvent(type, { id, name: name2, status, archive });
  }

  // js/opentok/publications.js
  var Publications = class {
    /** @type {Set<Publisher>} */
    #publishers = /* @__PURE__ */ new Set();
    /** How many are on their way, and what came about their streams before their ids were known here. */
    #underWay = 0;
    /** @type {StreamEvent[]} */
    #early = [];
    /** @returns {Publisher[]} */
    all() {
      return [...this.#publishers];
    }
    /** @param {string | undefined} streamId @returns {Publisher | undefined} */
    of(streamId) {
      return this.all().find((each) => each.stream && each.stream.streamId === streamId);
    }
    /**
     * @param {Publisher} publisher
     * @param {{ session: any, media: Media, members: Members }} place
     */
    async publish(publisher, { session, media, members }) {
      this.#publishers.add(publisher);
      this.#underWay += 1;
      let streamId;
      const forget = () => {
        this.#publishers.delete(publisher);
        if (streamId) members.own.remove(streamId);
      };
      try {
        const stream = await publisher.publishTo({
          session,
          media,
          forget,
          changed: (changed, update) => {
            const events = [...members.changed(changed, update)];
            later(() => {
              for (const event of events) session.dispatchEvent(event);
            });
          }
        });
        streamId = stream.streamId;
        members.own.add(stream);
        if (members.archives.length > 0) publisher.setArchiving(true);
        publisher.dispatchEvent(new OTEvent("streamCreated", { stream }));
      } catch (error) {
        forget();
        throw error;
      } finally {
        this.#underWay -= 1;
        const early = this.#early;
        this.#early = this.#underWay > 0 ? early.filter((each) => each.streamId !== streamId) : [];
        for (const event of early) if (event.streamId === streamId) this.told(event);
      }
    }
    /**
     * @param {StreamEvent} event
     * @returns {boolean} whether it is, or may be, about a stream of ours
     */
    told(event) {
      const publisher = this.of(event.streamId);
      if (!publisher) {
        if (this.#underWay > 0) this.#early.push(event);
        return this.#underWay > 0;
      }
      if (event.type === "streamMuted") publisher.mutedByForce();
      else publisher.endStream(event.reason, { notifyServer: false });
      return true;
    }
  };

  // js/opentok/server-url.js
  var scriptUrl = null;
  var globalName = "OT";
  function setScriptUrl(url2, name2) {
    scriptUrl = url2;
    globalName = name2;
  }
  function signalingUrl() {
    const chosen = (
      /** @type {any} */
      globalThis[globalName]?.__engineUrl
    );
    const base = new URL(chosen ?? scriptUrl ?? location.href, location.href);
    const url2 = new URL("/live", base);
    url2.protocol = base.protocol === "https:" || base.protocol === "wss:" ? "wss:" : "ws:";
    return url2.href;
  }

  // js/opentok/signal.js
  var TYPE = /^[A-Za-z0-9\-._~]+$/;
  var TYPE_LIMIT = 128;
  var DATA_LIMIT = 8192;
  function signalMessage(signal, addressOf) {
    const { type, data, to } = signal ?? {};
    for (const property of ["type", "data", "to"]) {
      if (signal && property in signal && signal[property] == null) {
        throw invalid(400, `The signal's "${property}" is ${signal[property]}; leave it out instead.`);
      }
    }
    if (type !== void 0) {
      if (typeof type !== "string" || !TYPE.test(type)) {
        throw invalid(400, "A signal type has letters, digits, and - . _ ~ only.");
      }
      if (type.length > TYPE_LIMIT) {
        throw invalid(413, `A signal type has at most ${TYPE_LIMIT} characters.`);
      }
    }
    const address = to === void 0 ? void 0 : addressOf(to);
    if (address === null) throw invalid(400, "A signal goes to a Connection of its session.");
    if (data !== void 0 && sizeOf(data) > DATA_LIMIT) {
      throw invalid(413, `The data of a signal has at most ${DATA_LIMIT} bytes.`);
    }
    return {
      type: "signal",
      ...type !== void 0 && { signalType: type },
      ...data !== void 0 && { data },
      ...address !== void 0 && { to: address }
    };
  }
  function sizeOf(data) {
    try {
      return new TextEncoder().encode(JSON.stringify(data) ?? "").length;
    } catch {
      throw invalid(400, "The data of a signal must be JSON.");
    }
  }
  function invalid(code, message) {
    return new OpenTokError(code, "OT_INVALID_PARAMETER", message);
  }

  // js/opentok/signaling.js
  var VERSION = 1;
  var HEARTBEAT_MS = 2e3;
  var HELLO_TIMEOUT_MS = 1e4;
  var FIRST_ATTEMPTS = 3;
  var ATTEMPT_TIMEOUT_MS = 5e3;
  var BACKOFF_FIRST_MS = 200;
  var BACKOFF_MAX_MS = 4e3;
  var ACK_EVENTS = 32;
  var ACK_MS = 2e3;
  var OPEN = 1;
  var QUEUE_LIMIT = 1e3;
  var Signaling = class {
    #url;
    #handlers;
    #createSocket;
    #timers;
    #random;
    /** @type {'idle' | 'opening' | 'open' | 'lost' | 'closed'} */
    #state = "idle";
    /** @type {WebSocket | null} */
    #socket = null;
    #sessionId = "";
    #token = "";
    #quiet = false;
    /** @type {Welcome | null} */
    #welcome = null;
    #nextId = 1;
    /** Sent on the present socket, by id, waiting for a reply. @type {Map<number, Pending>} */
    #sent = /* @__PURE__ */ new Map();
    /** Waiting for a socket. @type {Pending[]} */
    #queue = [];
    /** Number of the last event that arrived. */
    #last = 0;
    #acknowledged = 0;
    /** Beats since anything arrived. */
    #silence = 0;
    #attempt = 0;
    /** Running timers by purpose. @type {Map<string, any>} */
    #running = /* @__PURE__ */ new Map();
    /**
     * @param {object} options
     * @param {string} options.url `wss://…/live`
     * @param {Handlers} options.handlers
     * @param {(url: string) => WebSocket} [options.createSocket]
     * @param {Timers} [options.timers]
     * @param {() => number} [options.random] from 0 to 1
     */
    constructor({ url: url2, handlers, createSocket, timers, random }) {
      this.#url = url2;
      this.#handlers = handlers;
      this.#createSocket = createSocket ?? ((address) => new WebSocket(address));
      this.#timers = timers ?? {
        set: (task, ms) => setTimeout(task, ms),
        clear: (timer) => clearTimeout(timer)
      };
      this.#random = random ?? Math.random;
    }
    get state() {
      return this.#state;
    }
    /**
     * Connects; the outcome is told by `handlers.welcome` or `handlers.refused`.
     *
     * @param {string} sessionId
     * @param {string} token
     * @param {{ quiet?: boolean }} [options] `quiet`: who comes and goes need not be told
     */
    open(sessionId, token, { quiet = false } = {}) {
      this.#sessionId = sessionId;
      this.#token = token;
      this.#quiet = quiet;
      this.#state = "opening";
      this.#start(
        "hello",
        HELLO_TIMEOUT_MS,
        () => this.#refuse(new OpenTokError(1008, "OT_TIMEOUT", "The server did not answer in time."))
      );
      this.#connect();
    }
    /**
     * Sends a request, now or as soon as there is a socket again.
     *
     * @param {ClientMessage | (() => ClientMessage | null)} message a function is called each time it is sent, and may
     *   return null when there is no need any more
     * @param {{ repeat?: boolean, wait?: boolean }} [options] `repeat`: send it again if the socket is lost before
     *   the reply (only what may safely happen twice); `wait`: false gives up when there is no socket
     * @returns {Promise<Reply>} rejected with an {@link OpenTokError}
     */
    request(message, { repeat = true, wait = true } = {}) {
      return new Promise((resolve, reject) => {
        const make = typeof message === "function" ? message : () => message;
        const pending = { make, repeat, wait, resolve, reject };
        if (this.#state === "open" && (this.#socket?.readyState ?? 0) > OPEN) this.#broken();
        if (this.#state === "open") this.#send(pending);
        else if (this.#state === "closed" || this.#state === "idle") reject(notConnected());
        else if (!wait) reject(disconnected());
        else if (this.#queue.length >= QUEUE_LIMIT) reject(disconnected());
        else this.#queue.push(pending);
      });
    }
    /** Leaves for good. Nothing is told to the handlers any more. */
    close() {
      if (this.#state === "open") {
        this.#send({ make: () => ({ type: "bye" }), repeat: false, wait: false, ...UNHEARD });
      }
      this.#end();
    }
    /** The network has changed: try at once what would be tried later. */
    hurry() {
      if (this.#state === "lost" && !this.#socket) {
        this.#attempt = 0;
        this.#connect();
      } else if (this.#state === "open") {
        this.#silence = 1;
        this.#beat();
      }
    }
    #connect() {
      this.#stop("retry");
      if (this.#state === "lost") this.#start("attempt", ATTEMPT_TIMEOUT_MS, () => this.#broken());
      let socket;
      try {
        socket = this.#createSocket(this.#url);
      } catch {
        this.#broken();
        return;
      }
      this.#socket = socket;
      socket.onopen = () => this.#hello();
      socket.onmessage = (message) => this.#receive(message.data);
      socket.onclose = () => this.#broken();
      socket.onerror = () => {
      };
    }
    #hello() {
      const resume = this.#welcome && {
        connectionId: this.#welcome.connection.connectionId,
        key: this.#welcome.key,
        last: this.#last
      };
      this.#send({
        make: () => ({
          type: "hello",
          versions: [VERSION],
          sessionId: this.#sessionId,
          token: this.#token,
          ...this.#quiet && { quiet: true },
          ...resume && { resume }
        }),
        repeat: false,
        wait: false,
        resolve: (reply) => this.#greeted(reply),
        reject: (error) => this.#welcome ? this.#over("networkDisconnected") : this.#refuse(error)
      });
    }
    /** @param {Reply} reply */
    #greeted(reply) {
      if (this.#welcome) {
        if (reply.resumed !== true) {
          this.#over("networkDisconnected");
          return;
        }
        this.#opened();
        this.#handlers.resumed();
      } else {
        this.#welcome = /** @type {Welcome} */
        /** @type {unknown} */
        reply;
        this.#opened();
        this.#handlers.welcome(this.#welcome);
      }
    }
    #opened() {
      this.#state = "open";
      this.#attempt = 0;
      this.#silence = 0;
      for (const purpose of ["hello", "grace", "attempt"]) this.#stop(purpose);
      this.#start("beat", HEARTBEAT_MS, () => this.#beat());
      this.#acknowledged = this.#last;
      for (const pending of this.#queue.splice(0)) this.#send(pending);
    }
    /** @param {Pending} pending */
    #send(pending) {
      const message = pending.make();
      if (!message) {
        pending.reject(disconnected());
        return;
      }
      const id = this.#nextId++;
      this.#sent.set(id, pending);
      this.#socket?.send(JSON.stringify({ id, ...message }));
    }
    /** @param {unknown} text */
    #receive(text) {
      this.#silence = 0;
      const message = parse(text);
      if (!message) return;
      if (typeof message.re === "number") {
        const pending = this.#sent.get(message.re);
        this.#sent.delete(message.re);
        if (!pending) return;
        const { error } = message;
        if (error) pending.reject(new OpenTokError(error.code, error.name, error.message));
        else pending.resolve(message);
      } else if (typeof message.n === "number" && message.n > this.#last) {
        this.#last = message.n;
        this.#acknowledge();
        if (message.type === "disconnected") this.#over(message.reason);
        else this.#handlers.event(message);
      }
    }
    #acknowledge() {
      if (this.#last - this.#acknowledged >= ACK_EVENTS) this.#sendAck();
      else if (!this.#running.has("ack")) this.#start("ack", ACK_MS, () => this.#sendAck());
    }
    #sendAck() {
      this.#stop("ack");
      if (this.#state !== "open" || this.#acknowledged === this.#last) return;
      this.#acknowledged = this.#last;
      const last = this.#last;
      this.#send({ make: () => ({ type: "ack", last }), repeat: false, wait: false, ...UNHEARD });
    }
    #beat() {
      if (this.#state !== "open") return;
      if (this.#silence >= 2) {
        this.#broken();
        return;
      }
      this.#silence += 1;
      this.#send({ make: () => ({ type: "ping" }), repeat: false, wait: false, ...UNHEARD });
      this.#start("beat", HEARTBEAT_MS, () => this.#beat());
    }
    /** The socket is gone. */
    #broken() {
      this.#dropSocket();
      if (this.#state === "opening" && this.#attempt === FIRST_ATTEMPTS - 1) {
        this.#refuse(
          new OpenTokError(1006, "OT_CONNECT_FAILED", "The connection to the server failed.")
        );
        return;
      }
      if (this.#state === "closed" || this.#state === "idle") return;
      this.#stop("attempt");
      const fresh = this.#state === "open";
      if (fresh) {
        this.#state = "lost";
        const grace = this.#welcome?.graceMs ?? 0;
        this.#start("grace", grace, () => this.#over("networkDisconnected"));
        this.#requeue();
      } else {
        this.#sent.clear();
      }
      const wait = Math.min(BACKOFF_FIRST_MS * 2 ** this.#attempt, BACKOFF_MAX_MS);
      this.#attempt += 1;
      this.#start("retry", wait * (0.5 + this.#random() / 2), () => this.#connect());
      if (fresh) this.#handlers.lost();
    }
    /** What was sent and not answered is sent again, or fails. */
    #requeue() {
      const lost = [...this.#sent.values()];
      this.#sent.clear();
      for (const pending of lost.filter((each) => !each.repeat)) pending.reject(disconnected());
      this.#queue.unshift(...lost.filter((each) => each.repeat));
    }
    /** @param {OpenTokError} error */
    #refuse(error) {
      if (this.#state === "closed") return;
      this.#end();
      this.#handlers.refused(error);
    }
    /** @param {string} reason */
    #over(reason) {
      if (this.#state === "closed") return;
      this.#end();
      this.#handlers.closed(reason);
    }
    #end() {
      if (this.#state === "closed") return;
      this.#state = "closed";
      for (const purpose of [...this.#running.keys()]) this.#stop(purpose);
      this.#dropSocket();
      const waiting = [...this.#sent.values(), ...this.#queue.splice(0)];
      this.#sent.clear();
      for (const pending of waiting) pending.reject(disconnected());
    }
    #dropSocket() {
      const socket = this.#socket;
      this.#socket = null;
      this.#stop("beat");
      this.#stop("ack");
      if (!socket) return;
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    /**
     * @param {string} purpose
     * @param {number} ms
     * @param {() => void} task
     */
    #start(purpose, ms, task) {
      this.#stop(purpose);
      const timer = this.#timers.set(() => {
        this.#running.delete(purpose);
        task();
      }, ms);
      this.#running.set(purpose, timer);
    }
    /** @param {string} purpose */
    #stop(purpose) {
      this.#timers.clear(this.#running.get(purpose));
      this.#running.delete(purpose);
    }
  };
  var UNHEARD = { resolve() {
  }, reject() {
  } };
  function notConnected() {
    return new OpenTokError(1010, "OT_NOT_CONNECTED", "The session is not connected.");
  }
  function disconnected() {
    return new OpenTokError(
      1010,
      "OT_DISCONNECTED",
      "The connection to the server was lost before it answered."
    );
  }
  function parse(text) {
    try {
      const message = JSON.parse(String(text));
      return typeof message === "object" ? message : null;
    } catch {
      return null;
    }
  }

  // js/opentok/subscriber.js
  var SIZE_DEBOUNCE_MS = 300;
  var Subscriber = class extends MediaView {
    /** @type {any} */
    session;
    /** @type {Stream | null} */
    stream;
    #media;
    #properties;
    /** @type {Subscription | null} */
    #subscription = null;
    #connected = false;
    #destroyed = false;
    #loaded = false;
    #audio;
    #video;
    /** 0 to 100 */
    #volume;
    /** @type {{ width: number, height: number } | null} null: as the element's size says */
    #resolution;
    #frameRate;
    #height = -1;
    #sizeTimer = (
      /** @type {any} */
      null
    );
    /** @type {ResizeObserver | null} */
    #sizes = null;
    #dimensions = { width: 0, height: 0 };
    /**
     * @param {Stream} stream
     * @param {Place} place
     */
    constructor(stream, { session, media, target, properties, callback }) {
      const named = { name: stream.name, ...properties };
      super(target, "subscriber", named, () => this.subscribeToAudio(!this.#audio));
      this.session = session;
      this.stream = stream;
      this.#media = media;
      this.#properties = properties;
      this.#audio = properties.subscribeToAudio !== false;
      this.#video = properties.subscribeToVideo !== false;
      this.#volume = clampVolume(properties.audioVolume ?? 100);
      this.#resolution = sizeOf2(properties.preferredResolution);
      this.#frameRate = Number(properties.preferredFrameRate) || 0;
      this.widget.setFit(this.#fit);
      this.widget.setLoading(true);
      this.widget.setMuted(!this.#audio);
      this.#showVideoState();
      this.#watchVideo();
      this.#start().then(
        () => callback && later(() => callback(void 0, this)),
        (error) => {
          if (this.#destroyed) {
            callback?.(asOpenTokError(error));
            return;
          }
          fail(asOpenTokError(error, 1501, "OT_STREAM_CREATE_FAILED"), callback, this);
          this.end("failed");
        }
      );
      later(() => this.emit("videoElementCreated", { element: this.widget.video }));
    }
    get streamId() {
      return this.stream?.streamId;
    }
    async #start() {
      const stream = (
        /** @type {Stream} */
        this.stream
      );
      const asked = this.#wanted();
      const { streamId, connection } = stream;
      const wish = { streamId, publisher: connection.connectionId };
      const subscription = await this.#media.subscribe(
        wish,
        asked,
        (state) => this.#mediaStateChanged(state)
      );
      if (this.#destroyed) {
        subscription.close();
        throw gone2();
      }
      this.#subscription = subscription;
      const tracks = subscription.media;
      const video = this.widget.video;
      video.volume = this.#volume / 100;
      const show = () => {
        video.srcObject = tracks;
        play(video, {
          blocked: () => this.emit("audioBlocked"),
          unblocked: () => this.emit("audioUnblocked")
        });
      };
      show();
      subscription.onExchange = () => {
        if (!this.#loaded && !this.#destroyed) show();
      };
      this.emit("mediaStreamAvailable", { mediaStream: tracks });
      this.startMeter();
      const wanted = this.#wanted();
      if (JSON.stringify(wanted) !== JSON.stringify(asked)) subscription.update(wanted);
      const connected = await subscription.connected();
      if (this.#destroyed) throw gone2();
      if (!connected) throw noWay(1554);
      this.#becomeConnected();
    }
    #becomeConnected() {
      if (this.#connected) return;
      this.#connected = true;
      if (!this.#showsVideo) this.widget.setLoading(false);
      this.emit("connected");
    }
    /** @param {boolean} on @returns {this} */
    subscribeToAudio(on) {
      this.#audio = !!on;
      this.widget.setMuted(!this.#audio);
      this.#update({ audio: this.#audio });
      return this;
    }
    /** @param {boolean} on @returns {this} */
    subscribeToVideo(on) {
      const before = this.#showsVideo;
      this.#video = !!on;
      this.#update({ video: this.#video });
      this.#videoChanged(before, "subscribeToVideo");
      return this;
    }
    /** @param {number} volume 0 to 100 @returns {this} */
    setAudioVolume(volume) {
      this.#volume = clampVolume(volume);
      this.widget.video.volume = this.#volume / 100;
      return this;
    }
    getAudioVolume() {
      return this.#volume;
    }
    /** @param {{ width: number, height: number } | 'auto' | null} resolution 'auto': by the element's size @returns {this} */
    setPreferredResolution(resolution) {
      this.#resolution = sizeOf2(resolution);
      this.#sendHeight();
      return this;
    }
    /** @param {number | null} frameRate per second at most; null: as many as come @returns {this} */
    setPreferredFrameRate(frameRate) {
      this.#frameRate = Math.min(Math.max(Number(frameRate) || 0, 0), 255);
      this.#update({ frameRate: this.#frameRate });
      return this;
    }
    /** @param {boolean} restrict to one frame per second, or as few as can be @returns {this} */
    restrictFrameRate(restrict) {
      return this.setPreferredFrameRate(restrict ? 1 : null);
    }
    isAudioBlocked() {
      return isBlocked(this.widget.video);
    }
    /** @param {(error: any, stats?: any) => void} [callback] */
    getStats(callback) {
      return answering(this.getRtcStatsReport().then(subscriberStats), callback);
    }
    /** @returns {Promise<RTCStatsReport>} */
    async getRtcStatsReport() {
      if (!this.#subscription) throw gone2();
      return mergedReport([this.#subscription.audio, this.#subscription.video]);
    }
    /** For the session only: the publisher changed the stream. @param {boolean} hadVideo */
    streamChanged(hadVideo) {
      this.#videoChanged(hadVideo && this.#video, "publishVideo");
    }
    /** @param {RTCPeerConnectionState} state */
    #mediaStateChanged(state) {
      if (state === "connected") {
        if (this.#subscription) this.#becomeConnected();
      } else if (this.#connected && ["disconnected", "failed"].includes(state)) {
        this.#connected = false;
        this.emit("disconnected");
      }
    }
    /**
     * For the session only: ends the subscription and removes the element.
     *
     * @param {string} reason
     */
    end(reason) {
      if (this.#destroyed) return;
      this.detach();
      this.widget.destroy();
      later(() => this.emit("destroyed", { reason }));
      this.session = null;
      this.stream = null;
    }
    /** For the session only: ends the subscription and leaves the element to the page. */
    detach() {
      this.#destroyed = true;
      this.stopMeter();
      this.#sizes?.disconnect();
      clearTimeout(this.#sizeTimer);
      stopPlaying(this.widget.video);
      this.widget.video.srcObject = null;
      this.#subscription?.close();
    }
    /** Whether there should be a picture. */
    get #showsVideo() {
      return this.#video && !!this.stream?.hasVideo;
    }
    /** @returns {'cover' | 'contain'} */
    get #fit() {
      const { fitMode } = this.#properties;
      if (fitMode === "cover" || fitMode === "contain") return fitMode;
      return this.stream?.videoType === "screen" ? "contain" : "cover";
    }
    /**
     * @param {boolean} before whether there was a picture
     * @param {string} reason
     */
    #videoChanged(before, reason) {
      if (this.#destroyed || before === this.#showsVideo) return;
      this.#showVideoState();
      const type = this.#showsVideo ? "videoEnabled" : "videoDisabled";
      later(() => this.emit(type, { reason }));
    }
    #showVideoState() {
      this.widget.setAudioOnly(!this.#showsVideo);
      this.widget.setLoading(!this.#loaded && (this.#showsVideo || !this.#connected));
      this.startMeter();
    }
    #watchVideo() {
      const { video } = this.widget;
      video.addEventListener("loadeddata", () => {
        this.#loaded = true;
        this.widget.setLoading(false);
      });
      video.addEventListener("resize", () => {
        const oldValue = this.#dimensions;
        const newValue = { width: video.videoWidth, height: video.videoHeight };
        this.#dimensions = newValue;
        this.#sendHeight();
        if (oldValue.width > 0) this.emit("videoDimensionsChanged", { oldValue, newValue });
      });
      this.#sizes = new ResizeObserver(() => {
        clearTimeout(this.#sizeTimer);
        this.#sizeTimer = setTimeout(() => this.#sendHeight(), SIZE_DEBOUNCE_MS);
      });
      this.#sizes.observe(video);
    }
    #wantedHeight() {
      if (this.#resolution) return Math.max(Math.round(this.#resolution.height), 1);
      const { video } = this.widget;
      if (!video.isConnected) return 0;
      const ratio = globalThis.devicePixelRatio || 1;
      return wantedHeight(
        { width: video.clientWidth * ratio, height: video.clientHeight * ratio },
        this.stream?.videoDimensions ?? this.#dimensions,
        this.#fit
      );
    }
    /** Everything that is wanted now. @returns {Wanted} */
    #wanted() {
      this.#height = this.#wantedHeight();
      return {
        audio: this.#audio,
        video: this.#video,
        height: this.#height,
        frameRate: this.#frameRate
      };
    }
    #sendHeight() {
      const height = this.#wantedHeight();
      if (!this.#subscription || height === this.#height) return;
      this.#height = height;
      this.#update({ height });
    }
    /** @param {Wanted} wanted */
    #update(wanted) {
      this.#subscription?.update(wanted);
    }
    ear() {
      if (!this.#subscription || this.#destroyed) return null;
      return {
        read: () => {
          const receiver = this.#subscription?.audio;
          return receiver && this.#audio ? receivedLevel(receiver) : 0;
        }
      };
    }
  };
  function gone2() {
    return asOpenTokError(
      { message: "The subscriber was destroyed before it was connected." },
      1501,
      "OT_STREAM_DESTROYED"
    );
  }
  function clampVolume(volume) {
    return Math.min(Math.max(Number(volume) || 0, 0), 100);
  }
  function sizeOf2(resolution) {
    return Number(resolution?.height) > 0 ? resolution : null;
  }

  // js/opentok/session.js
  var Session = class extends Events {
    /** @type {Connection | null} null: not connected */
    connection = null;
    capabilities = capabilitiesOf(null);
    /** @type {string | null} */
    token = null;
    /** @type {'disconnected' | 'connecting' | 'connected' | 'reconnecting' | 'disconnecting'} */
    currentState = "disconnected";
    #parts;
    #members = new Members();
    /** @type {Signaling | null} */
    #signaling = null;
    /** @type {Media | null} */
    #media = null;
    /** Ends a connecting that did not succeed. @type {(error: OpenTokError) => void} */
    #refused = () => {
    };
    #publications = new Publications();
    /** @type {Set<Subscriber>} */
    #subscribers = /* @__PURE__ */ new Set();
    /** Ends the listening to the window. @type {AbortController | null} */
    #watching = null;
    /**
     * @param {string | undefined} apiKey
     * @param {string} sessionId
     * @param {Parts} [parts]
     */
    constructor(apiKey, sessionId, parts = {}) {
      super();
      this.apiKey = apiKey;
      this.sessionId = sessionId;
      this.id = sessionId;
      this.#parts = parts;
    }
    get connections() {
      return this.#members.connections;
    }
    get streams() {
      return this.#members.streams;
    }
    get archives() {
      return this.#members.archives;
    }
    /** `connect(token, callback?)` or `connect(apiKey, token, callback?)`; returns the session. */
    connect = promisify((...given) => this.#connect(given));
    /** `publish(publisher, callback?)` or `publish(target?, properties?, callback?)`; returns the publisher, or null. */
    publish = promisify((...given) => this.#publish(given));
    /** `subscribe(stream, target?, properties?, callback?)`; returns the subscriber, or null. */
    subscribe = promisify((...given) => this.#subscribe(given));
    /** @param {any[]} given */
    #connect(given) {
      const { apiKey, token, callback } = connectArguments(given);
      if (this.currentState !== "disconnected") {
        log.warn(`Session ${this.sessionId} is ${this.currentState} already.`);
        return this;
      }
      if (apiKey !== void 0) this.apiKey ??= apiKey;
      this.token = token;
      if (typeof this.sessionId !== "string" || this.sessionId === "") {
        fail(
          new OpenTokError(1005, "OT_INVALID_SESSION_ID", "There is no session id."),
          callback,
          this
        );
        return this;
      }
      if (typeof token !== "string" || token === "") {
        fail(new OpenTokError(1004, "OT_AUTHENTICATION_ERROR", "There is no token."), callback, this);
        return this;
      }
      const connected = (event) => callback?.(void 0, event);
      this.once("sessionConnected", connected);
      const refused = (error) => {
        this.off("sessionConnected", connected);
        this.#reset();
        fail(error, callback, this);
      };
      this.#refused = refused;
      this.currentState = "connecting";
      const create = this.#parts.createSignaling ?? ((options) => new Signaling(options));
      const signaling = create({
        url: signalingUrl(),
        handlers: {
          welcome: (welcome) => this.#welcomed(welcome),
          refused,
          event: (event) => this.#told(event),
          lost: () => {
            this.currentState = "reconnecting";
            this.#emit("sessionReconnecting");
          },
          resumed: () => {
            this.currentState = "connected";
            if (!this.#media?.isConnected) this.#media?.restart();
            this.#emit("sessionReconnected");
          },
          closed: (reason) => this.#left(reason)
        }
      });
      this.#signaling = signaling;
      this.#watchWindow();
      signaling.open(this.sessionId, token, { quiet: this.#parts.quiet });
      return this;
    }
    /** Leaves; `sessionDisconnected` follows. Without a connection nothing happens. */
    disconnect() {
      if (["disconnected", "disconnecting"].includes(this.currentState)) return;
      const wasConnecting = this.currentState === "connecting";
      this.currentState = "disconnecting";
      this.#signaling?.close();
      this.#media?.close();
      later(() => {
        if (wasConnecting)
          this.#refused(
            new OpenTokError(
              1010,
              "OT_DISCONNECTED",
              "The session was left before it had connected."
            )
          );
        else this.#left("clientDisconnected");
      });
    }
    /** @param {any[]} given */
    #publish(given) {
      const [first] = given;
      const ready = first instanceof Publisher ? first : null;
      const { target, properties, callback } = widgetArguments(ready ? given.slice(1) : given);
      const error = this.#unable("publish", 1500);
      if (error) {
        fail(error, callback, this);
        return null;
      }
      if (ready?.session) {
        const message = "The publisher is publishing already.";
        fail(new OpenTokError(1500, "OT_INVALID_PARAMETER", message), callback, this);
        return null;
      }
      const publisher = ready ?? new Publisher(target, properties, null);
      const media = (
        /** @type {Media} */
        this.#media
      );
      const place = { session: this, media, members: this.#members };
      this.#publications.publish(publisher, place).then(
        () => callback && later(() => callback(void 0, publisher)),
        (thrown) => fail(asOpenTokError(thrown, 1500, "OT_STREAM_CREATE_FAILED"), callback, publisher)
      );
      return publisher;
    }
    /** @param {Publisher} publisher */
    unpublish(publisher) {
      if (publisher?.session === this) publisher.endStream("unpublished", { notifyServer: true });
    }
    /** @param {any[]} given */
    #subscribe(given) {
      const [wanted, ...rest] = given;
      const { target, properties, callback } = widgetArguments(rest);
      const id = wanted?.streamId;
      const stream = this.#members.streams.get(id) ?? this.#members.own.get(id);
      const error = this.#unable("subscribe", 1501) ?? (stream ? null : new OpenTokError(
        1501,
        "OT_STREAM_NOT_FOUND",
        "The stream is not in the session any more."
      ));
      if (error || !stream) {
        fail(error, callback, this);
        return null;
      }
      const media = (
        /** @type {Media} */
        this.#media
      );
      const place = { session: this, media, target, properties, callback };
      const subscriber = new Subscriber(stream, place);
      this.#subscribers.add(subscriber);
      return subscriber;
    }
    /** @param {Subscriber} subscriber */
    unsubscribe(subscriber) {
      if (this.#subscribers.delete(subscriber)) subscriber.end("unsubscribed");
    }
    /** @param {Stream} stream @returns {Subscriber[]} */
    getSubscribersForStream(stream) {
      return [...this.#subscribers].filter((each) => each.stream === stream);
    }
    /** @param {Stream | string} stream @returns {Publisher | undefined} */
    getPublisherForStream(stream) {
      return this.#publications.of(typeof stream === "string" ? stream : stream?.streamId);
    }
    /**
     * @param {{ type?: string, data?: any, to?: any, retryAfterReconnect?: boolean }} signal
     * @param {(error?: OpenTokError) => void} [callback]
     * @returns {Promise<void>}
     */
    signal(signal, callback) {
      const send = async () => {
        if (!this.#isConnected) {
          throw new OpenTokError(500, "OT_NOT_CONNECTED", "The session is not connected.");
        }
        const message = signalMessage(signal, (to) => {
          if (to === this) return void 0;
          return typeof to?.connectionId === "string" ? to.connectionId : null;
        });
        const wait = signal.retryAfterReconnect !== false;
        await this.#signaling?.request(message, { repeat: false, wait });
      };
      const sent = send().catch((error) => {
        if (error?.name !== "OT_DISCONNECTED") throw error;
        throw new OpenTokError(500, "OT_NOT_CONNECTED", error.message);
      });
      return answering(sent, callback);
    }
    /** @param {Connection | string} connection @param {any} [callback] @returns {Promise<void>} */
    forceDisconnect(connection, callback) {
      const connectionId = idOf(connection, "connectionId");
      const message = (
        /** @type {const} */
        { type: "forceDisconnect", connectionId }
      );
      return this.#moderate("forceDisconnect", 1520, message, callback);
    }
    /** @param {Stream | string} stream @param {any} [callback] @returns {Promise<void>} */
    forceUnpublish(stream, callback) {
      const streamId = idOf(stream, "streamId");
      const message = (
        /** @type {const} */
        { type: "forceUnpublish", streamId }
      );
      return this.#moderate("forceUnpublish", 1530, message, callback);
    }
    /** @param {Stream | string} stream @param {any} [callback] @returns {Promise<void>} */
    forceMuteStream(stream, callback) {
      const streamId = idOf(stream, "streamId");
      const message = (
        /** @type {const} */
        { type: "forceMute", streamId }
      );
      return this.#moderate("forceMute", 1540, message, callback);
    }
    /**
     * @param {(Stream | string)[] | ((error?: OpenTokError) => void) | null} [excluded]
     * @param {any} [callback]
     * @returns {Promise<void>}
     */
    forceMuteAll(excluded = [], callback = void 0) {
      if (typeof excluded === "function") return this.forceMuteAll([], excluded);
      const excludedStreamIds = (excluded ?? []).map((stream) => idOf(stream, "streamId"));
      const message = (
        /** @type {const} */
        { type: "forceMuteAll", excludedStreamIds }
      );
      return this.#moderate("forceMute", 1540, message, callback);
    }
    /** @param {any} [callback] @returns {Promise<void>} */
    disableForceMute(callback) {
      return this.#moderate("forceMute", 1540, { type: "disableForceMute" }, callback);
    }
    /**
     * @param {Action} action
     * @param {number} code
     * @param {ClientMessage} message
     * @param {any} callback
     * @returns {Promise<void>}
     */
    #moderate(action, code, message, callback) {
      const ask = async () => {
        const error = this.#unable(action, code);
        if (error) throw error;
        await this.#signaling?.request(message);
      };
      const asked = ask();
      asked.catch((error) => fail(error, null, this));
      return answering(asked, callback);
    }
    /** @param {Welcome} welcome */
    #welcomed(welcome) {
      this.currentState = "connected";
      this.capabilities = capabilitiesOf(welcome.role);
      const create = this.#parts.createMedia ?? ((...options) => new Media(...options));
      this.#media = create(
        /** @type {Signaling} */
        this.#signaling,
        {
          receives: this.capabilities.subscribe === 1,
          relayed: welcome.relayed,
          own: welcome.connection.connectionId
        }
      );
      this.connection = this.#members.connection(welcome.connection);
      this.#dispatchAll(this.#members.enter(welcome));
    }
    /** @param {ServerEvent} event */
    #told(event) {
      switch (event.type) {
        case "signal":
          this.#signaled(event);
          return;
        case "peer.want":
        case "peer.sdp":
        case "peer.ice":
        case "peer.bye":
          this.#media?.handle(event);
          return;
        case "sessionRouted":
          this.#media?.route();
          return;
        case "connectionDestroyed":
          this.#media?.left(event.connectionId);
      }
      const ofOthers = "streamId" in event && this.streams.has(event.streamId);
      const mayBeOurs = event.type === "streamMuted" || event.type === "streamDestroyed";
      if (mayBeOurs && !ofOthers && this.#publications.told(event)) return;
      this.#dispatchAll(this.#members.apply(event));
    }
    /** @param {Extract<ServerEvent, { type: 'signal' }>} signal */
    #signaled({ signalType, data, from }) {
      const name2 = signalType ? `signal:${signalType}` : "signal";
      const sender = from ? this.#members.of(from) : null;
      const event = new OTEvent(name2, { data: data ?? void 0, from: sender });
      this.dispatchEvent(event, "signal");
      if (signalType) this.dispatchEvent(event, name2);
    }
    /** Stops when a handler ends the session. @param {Generator<OTEvent>} events */
    #dispatchAll(events) {
      const media = this.#media;
      for (const event of events) {
        if (event.type === "streamPropertyChanged") this.#streamChanging(event);
        this.dispatchEvent(event);
        if (this.#media !== media || !this.#isConnected) return;
        this.#actByDefault(event);
      }
    }
    /** @param {any} event */
    #streamChanging({ stream, changedProperty, oldValue }) {
      if (changedProperty !== "hasVideo") return;
      for (const subscriber of this.getSubscribersForStream(stream))
        subscriber.streamChanged(oldValue);
    }
    /** @param {any} event */
    #actByDefault(event) {
      if (event.type === "streamDestroyed") {
        for (const subscriber of this.getSubscribersForStream(event.stream)) {
          this.#subscribers.delete(subscriber);
          if (event.isDefaultPrevented()) subscriber.detach();
          else subscriber.end("streamDestroyed");
        }
      } else if (event.type === "archiveStarted" || event.type === "archiveStopped") {
        const on = this.archives.length > 0;
        for (const publisher of this.#publications.all()) publisher.setArchiving(on);
      }
    }
    /** @param {string} reason */
    #left(reason) {
      const publishers = this.#publications.all();
      const subscribers = [...this.#subscribers];
      this.#reset();
      const isServerStopping = reason === "serverStopping";
      reason = openTokReason(reason);
      const event = new OTEvent("sessionDisconnected", { reason, isServerStopping }, true);
      this.dispatchEvent(event);
      const keep = event.isDefaultPrevented();
      for (const subscriber of subscribers) {
        if (keep) subscriber.detach();
        else subscriber.end(reason);
      }
      for (const publisher of publishers) publisher.endStream(reason, { notifyServer: false, keep });
    }
    #reset() {
      this.#signaling?.close();
      this.#media?.close();
      this.#watching?.abort();
      this.#signaling = null;
      this.#media = null;
      this.#publications = new Publications();
      this.#subscribers.clear();
      this.#members.clear();
      this.connection = null;
      this.capabilities = capabilitiesOf(null);
      this.currentState = "disconnected";
    }
    #watchWindow() {
      if (typeof window === "undefined") return;
      this.#watching = new AbortController();
      const { signal } = this.#watching;
      const back = () => {
        this.#signaling?.hurry();
        this.#media?.restart();
      };
      window.addEventListener("online", back, { signal });
      window.addEventListener("pagehide", () => this.disconnect(), { signal });
    }
    get #isConnected() {
      return this.currentState === "connected" || this.currentState === "reconnecting";
    }
    /**
     * @param {Action} action
     * @param {number} code of the refusal
     * @returns {OpenTokError | null} why it cannot be done
     */
    #unable(action, code) {
      if (this.#isConnected) return mayNot(this.capabilities, action, code);
      return new OpenTokError(1010, "OT_NOT_CONNECTED", "The session is not connected.");
    }
    /**
     * @param {string} type
     * @param {Record<string, unknown>} [fields]
     */
    #emit(type, fields) {
      this.dispatchEvent(new OTEvent(type, fields));
    }
  };
  function idOf(thing, property) {
    return String(typeof thing === "string" ? thing : thing?.[property]);
  }

  // js/opentok/api.js
  var sessions = /* @__PURE__ */ new Map();
  function initSession(...given) {
    const { apiKey, sessionId, options } = sessionArguments(given);
    const known = sessions.get(sessionId);
    if (known) {
      known.apiKey ??= apiKey;
      return known;
    }
    const session = new Session(apiKey, sessionId, {
      quiet: options?.connectionEventsSuppressed === true
    });
    sessions.set(sessionId, session);
    return session;
  }
  var initPublisher = promisify((...given) => {
    const { target, properties, callback } = publisherArguments(given);
    return new Publisher(target, properties, callback);
  });
  var OT = {
    initSession,
    initPublisher,
    Session,
    Publisher,
    Subscriber,
    Connection,
    Stream,
    EventDispatcher: Events,
    Error: OpenTokError,
    // What happened that no callback heard of: `exception`.
    on: exceptions.on.bind(exceptions),
    once: exceptions.once.bind(exceptions),
    off: exceptions.off.bind(exceptions),
    addEventListener: exceptions.on.bind(exceptions),
    removeEventListener: exceptions.off.bind(exceptions),
    trigger: exceptions.trigger.bind(exceptions),
    HAS_REQUIREMENTS: 1,
    NOT_HAS_REQUIREMENTS: 0,
    checkSystemRequirements: () => supportsWebRtc() ? 1 : 0,
    upgradeSystemRequirements: () => log.warn("This browser is too old for video calls."),
    getDevices,
    getUserMedia,
    getAudioOutputDevices,
    getActiveAudioOutputDevice,
    setAudioOutputDevice,
    getSupportedCodecs,
    unblockAudio,
    checkScreenSharingCapability,
    /** Browsers share screens without an extension. */
    registerScreenSharingExtension: () => {
    },
    ...LEVELS,
    setLogLevel,
    log: log.log,
    debug: log.debug,
    info: log.info,
    warn: log.warn,
    error: log.error,
    shouldLog: () => true,
    properties: { version: "2.36.0", supportSSL: "true", sslVersion: "1" },
    /** Nothing is reported to anyone; the id is for the page's own log. @param {any} [callback] */
    reportIssue(callback) {
      const id = uuid();
      if (typeof callback === "function") later(() => callback(void 0, id));
      return Promise.resolve(id);
    },
    hasMediaProcessorSupport: () => false,
    hasEndToEndEncryptionSupport: () => false,
    setProxyUrl: () => log.warn("A proxy is not supported.")
  };

  // js/opentok/index.js
  var script = (
    /** @type {HTMLScriptElement | null} */
    document.currentScript
  );
  var url = script?.dataset.engineUrl ?? script?.src;
  var name = script?.dataset.global;
  if (url) setScriptUrl(url, name ?? "OT");
  Object.assign(window, name ? { [name]: OT } : { OT, TB: OT });
})();
