/**
 * @file The looks of the widgets. A constructed style sheet needs no `style-src` exception, and its layer gives
 * way to whatever the page's own style sheets say.
 */

const CSS = `@layer opentok {
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
}`

let installed = false

/** Gives the document the style sheet, once. */
export function installStyles() {
  if (installed || typeof document === 'undefined') return
  installed = true
  try {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(CSS)
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
  } catch {
    // A browser without constructed style sheets shows the widgets as the page styles them.
  }
}
