import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { build } from 'esbuild'

test('the committed bundle is what the modules make', async () => {
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8'))
  // The options of `npm run bundle`, so that they are written down once.
  const options = Object.fromEntries(
    [...scripts.bundle.matchAll(/--([\w-]+)(?:=(\S+))?/g)].map(([, name, value]) => [
      name.replace(/-./g, (letter) => letter[1].toUpperCase()),
      value ?? true,
    ]),
  )
  const { outputFiles } = await build({
    ...options,
    entryPoints: ['js/opentok/index.js'],
    write: false,
    logLevel: 'silent',
  })
  const committed = await readFile(options.outfile, 'utf8')
  assert.ok(outputFiles[0].text === committed, 'static/opentok.js is old: run `npm run bundle`')
})
