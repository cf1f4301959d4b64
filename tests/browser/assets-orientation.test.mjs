// Which way is up and front in a scan, without a browser.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { orientation } from '../../src/web/assets/orientation.js';
import { lower, upper } from './lib/meshes.mjs';

const mesh = (jaw, triangles) => ({ jaw, position: Float32Array.from(triangles.flat(2)) });

test('a vendor that puts z up and the front to y is understood', () => {
  const meshes = [mesh('upper', upper()), mesh('lower', lower())];
  assert.deepEqual(orientation(meshes), { up: [0, 0, 1], front: [0, 1, 0] });
});

test('so is any other one', () => {
  const ways = [
    [([x, y, z]) => [x, -z, y], { up: [0, -1, 0], front: [0, 0, 1] }],
    [([x, y, z]) => [-x, -y, z], { up: [0, 0, 1], front: [0, -1, 0] }],
    [([x, y, z]) => [x, -y, -z], { up: [0, 0, -1], front: [0, -1, 0] }],
    [([x, y, z]) => [y, z, x], { up: [0, 1, 0], front: [1, 0, 0] }],
  ];
  for (const [axes, expected] of ways) {
    const meshes = [mesh('lower', lower({ axes })), mesh('upper', upper({ axes }))];
    const { up, front } = orientation(meshes);
    assert.deepEqual({ up: up.map((v) => v + 0), front: front.map((v) => v + 0) }, expected);
  }
});

test('one jaw alone tells where its front is', () => {
  const axes = ([x, y, z]) => [y, x, z];
  assert.deepEqual(orientation([mesh('lower', lower({ axes }))]).front, [1, 0, 0]);
});

test('what is no arch is taken as usual', () => {
  const square = [[[0, 0, 0], [9, 0, 0], [9, 9, 0]], [[0, 0, 0], [9, 9, 0], [0, 9, 0]]];
  assert.deepEqual(orientation([mesh('other', square)]), { up: [0, 0, 1], front: [0, 1, 0] });
});
