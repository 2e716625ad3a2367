/** @file How video is sent: layers by its size, and the codecs that are offered. No browser object is needed. */

/**
 * Layers from small to large, so that whoever cannot take the whole picture gets a smaller one. Bit rates are
 * those at which VP8 looks clean at 30 frames per second; the browser goes below them when the network is narrow.
 *
 * @param {number} height pixels
 * @returns {RTCRtpEncodingParameters[]}
 */
export function cameraEncodings(height) {
  if (height >= 1080) {
    return [
      { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 200_000 },
      { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 800_000 },
      { rid: 'f', maxBitrate: 3_000_000 },
    ]
  }
  if (height >= 720) {
    return [
      { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
      { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
      { rid: 'f', maxBitrate: 1_700_000 },
    ]
  }
  if (height >= 480) {
    return [
      { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 150_000 },
      { rid: 'f', maxBitrate: 700_000 },
    ]
  }
  return [{ maxBitrate: 300_000 }]
}

/**
 * A screen changes seldom and must stay readable: full size at few frames, and a small one for thumbnails and thin lines.
 *
 * @returns {RTCRtpEncodingParameters[]}
 */
export function screenEncodings() {
  return [
    { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 300_000, maxFramerate: 5 },
    { rid: 'f', maxBitrate: 2_500_000, maxFramerate: 15 },
  ]
}

/**
 * The codecs that are offered: those the server forwards. Fewer also make a shorter offer.
 *
 * @template {{ mimeType: string }} C
 * @param {'audio' | 'video'} kind
 * @param {C[]} codecs what the browser can do
 * @returns {C[]} empty when the browser should be left alone
 */
export function offeredCodecs(kind, codecs) {
  const wanted = kind === 'audio' ? ['audio/opus'] : ['video/vp8', 'video/rtx']
  const chosen = codecs.filter((codec) => wanted.includes(codec.mimeType.toLowerCase()))
  return chosen.some((codec) => codec.mimeType.toLowerCase() === wanted[0]) ? chosen : []
}

/**
 * The height at which a picture is worth sending to an element.
 *
 * @param {{ width: number, height: number }} element in device pixels
 * @param {{ width: number, height: number }} video
 * @param {'cover' | 'contain'} fit how the picture fills the element
 * @returns {number} from 1; an element that is not to be seen gets the smallest picture there is
 */
export function wantedHeight(element, video, fit) {
  if (element.width < 1 || element.height < 1) return 1
  const ratio = video.width > 0 ? video.height / video.width : 9 / 16
  const byWidth = element.width * ratio
  const height =
    fit === 'cover' ? Math.max(element.height, byWidth) : Math.min(element.height, byWidth)
  return Math.min(Math.max(Math.round(height), 1), 4320)
}
