/** @file Finding and changing elements. A page's script relies on its template: what is missing is a mistake. */

const ICONS = '/static/vendor/bootstrap-icons/icons.svg'

/**
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id)
  if (!(element instanceof type)) throw new Error(`The page has no ${type.name} #${id}`)
  return element
}

/**
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function find(root, selector, type) {
  const element = root.querySelector(selector)
  if (!(element instanceof type)) throw new Error(`The page has no ${type.name} ${selector}`)
  return element
}

/**
 * A copy of what a `<template>` holds.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function copyOf(id) {
  const first = byId(id, HTMLTemplateElement).content.firstElementChild
  return /** @type {HTMLElement} */ (document.importNode(/** @type {Element} */ (first), true))
}

/**
 * Changes the icon inside an element.
 *
 * @param {Element} element
 * @param {string} name
 */
export function setIcon(element, name) {
  element.querySelector('use')?.setAttribute('href', `${ICONS}#${name}`)
}

/**
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', `${ICONS}#${name}`)
  svg.append(use)
  return svg
}

/**
 * The letters that stand for a person.
 *
 * @param {string} name
 */
export function initials(name) {
  const words = name.trim().split(/\s+/)
  const first = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0]]
  return first.map((word) => [...(word ?? '')][0]?.toUpperCase() ?? '').join('')
}
