// Bundles three.js into one file and writes it, with its licence, into a folder.
//
//   node bundle.mjs FOLDER           writes three.js and three.LICENSE.txt
//   node bundle.mjs FOLDER --check   fails unless both are there already, byte for byte
//
// Run by ./bundle, which installs what this needs.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const [folder, flag] = process.argv.slice(2);
if (!folder || (flag && flag !== '--check')) {
  console.error('usage: node bundle.mjs FOLDER [--check]');
  process.exit(2);
}

const { version } = JSON.parse(await readFile('node_modules/three/package.json', 'utf8'));
const built = await build({
  entryPoints: ['entry.js'],
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
  banner: {
    js: `// three.js ${version}, MIT licence: see three.LICENSE.txt. Made by packaging/three/bundle; do not edit.`,
  },
});
const files = {
  'three.js': Buffer.from(built.outputFiles[0].contents),
  'three.LICENSE.txt': await readFile('node_modules/three/LICENSE'),
};

for (const [name, bytes] of Object.entries(files)) {
  const path = join(folder, name);
  if (!flag) {
    await writeFile(path, bytes);
    console.log(`${path}: three.js ${version}, ${bytes.length} bytes`);
    continue;
  }
  const there = await readFile(path).catch(() => undefined);
  if (!there?.equals(bytes)) {
    const what = there ? 'is not what packaging/three/bundle makes' : 'is missing';
    console.error(`error: ${path} ${what}\nhint: run packaging/three/bundle and commit the file`);
    process.exit(1);
  }
  console.log(`${path}: as packaging/three/bundle makes it`);
}
