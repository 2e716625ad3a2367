/** @file Why something ended, in OpenTok's words. */

/**
 * Pages were not written for a server that says that it is restarting.
 *
 * @param {string} reason the server's
 */
export function openTokReason(reason) {
  return reason === 'serverStopping' ? 'networkDisconnected' : reason
}
