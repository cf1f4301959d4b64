// The picture of the 3D view: jaws in one light, seen by one camera. Drawn only when something changed.
import {
  Box3, BufferAttribute, BufferGeometry, DirectionalLight, DoubleSide, HemisphereLight, Mesh,
  MeshStandardMaterial, OrbitControls, PerspectiveCamera, Scene, Vector3, WebGLRenderer,
} from './vendor/three.js';
import { orientation } from './orientation.js';

/** Plaster in three shades, so that jaws can be told apart. */
const SHADES = { upper: 0xe6dac6, lower: 0xd3dadf, other: 0xc9bfd8 };
/** The inside of a scan, which is no surface of a tooth: a dull red-grey, as linear light. */
const BACK = 'vec3(0.19, 0.12, 0.12)';
/** The camera's angle in degrees: narrow, so that near teeth are not larger than far ones. */
const ANGLE = 28;
/** So much room is left around the scan. */
const MARGIN = 1.05;
/** One press of an arrow key turns by so many radians. */
const TURN = Math.PI / 24;
const ZOOM = 0.88;
/** Pixels by which an arrow key with Shift moves the picture. */
const MOVE = 24;

/** The scene in an element, or `undefined` where the browser has no WebGL. */
export function create(stage) {
  const canvas = document.createElement('canvas');
  // What was drawn can be read back and printed.
  const wanted = { antialias: true, alpha: true, preserveDrawingBuffer: true };
  const context = canvas.getContext('webgl2', wanted);
  if (!context) return undefined;
  const renderer = new WebGLRenderer({ canvas, context, ...wanted });
  // The background is the stage's own, in the colours of the page.
  renderer.setClearColor(0, 0);
  renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
  stage.append(canvas);
  return new View(stage, canvas, renderer);
}

class View {
  #stage;
  #renderer;
  #scene = new Scene();
  #camera = new PerspectiveCamera(ANGLE, 1, 1, 1000);
  #sky = new HemisphereLight(0xffffff, 0xa5a5ad, 1.25);
  #controls;
  #observer;
  #meshes = new Map();
  #frame;
  #up = new Vector3();
  #front = new Vector3();

  constructor(stage, canvas, renderer) {
    this.#stage = stage;
    this.#renderer = renderer;
    // A lamp at the camera, a little to the side: whatever is looked at has light and shape.
    const lamp = new DirectionalLight(0xffffff, 2.1);
    lamp.position.set(-0.4, 0.25, 1);
    this.#camera.add(lamp, lamp.target);
    lamp.target.position.set(0, 0, -1);
    this.#scene.add(this.#camera, this.#sky);
    canvas.addEventListener('webglcontextrestored', () => this.#draw());
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(stage);
  }

  /** Adds a mesh under a key; `jaw` is upper, lower or other. It is seen at once. */
  add(key, jaw, { position, normal, color, index }) {
    const geometry = new BufferGeometry();
    geometry.setAttribute('position', new BufferAttribute(position, 3));
    geometry.setAttribute('normal', new BufferAttribute(normal, 3));
    if (index) geometry.setIndex(new BufferAttribute(index, 1));
    if (color) geometry.setAttribute('color', new BufferAttribute(color, 3, !(color instanceof Float32Array)));
    // Scans are open surfaces: the inside is seen too.
    const material = new MeshStandardMaterial({ roughness: 0.6, metalness: 0, side: DoubleSide });
    material.onBeforeCompile = paintBacks;
    const mesh = new Mesh(geometry, material);
    mesh.userData = { jaw, position, hasColour: Boolean(color) };
    this.#meshes.set(key, mesh);
    this.#scene.add(mesh);
  }

  /** Whether any mesh has colours of its own. */
  get hasColours() {
    return [...this.#meshes.values()].some((mesh) => mesh.userData.hasColour);
  }

  /** Shows or hides a mesh. */
  show(key, is) {
    this.#meshes.get(key).visible = is;
    this.#draw();
  }

  /** How all meshes are drawn. */
  style({ wireframe, colours }) {
    for (const { material, userData } of this.#meshes.values()) {
      const isColoured = colours && userData.hasColour;
      material.wireframe = wireframe;
      material.needsUpdate ||= material.vertexColors !== isColoured;
      material.vertexColors = isColoured;
      material.color.set(isColoured ? 0xffffff : SHADES[userData.jaw] ?? SHADES.other);
    }
    this.#draw();
  }

  /** Finds out where up and front are, and looks at all that was added. Comes before the first picture. */
  start() {
    const meshes = [...this.#meshes.values()].map((mesh) => mesh.userData);
    const { up, front } = orientation(meshes);
    this.#up.set(...up);
    this.#front.set(...front);
    this.#camera.up.copy(this.#up);
    this.#sky.position.copy(this.#up);
    // The controls take over what is up when they are made.
    this.#controls = new OrbitControls(this.#camera, this.#renderer.domElement);
    this.#controls.addEventListener('change', () => this.#draw());
    this.view('reset');
  }

  /** Looks from a side: front, left and right of the patient, top, bottom, or reset. */
  view(name) {
    const left = this.#up.clone().cross(this.#front);
    const from = {
      front: () => this.#front.clone(),
      left: () => left,
      right: () => left.negate(),
      // Never quite from above: the front teeth of a lower jaw belong below, those of an upper one above.
      top: () => this.#up.clone().addScaledVector(this.#front, 0.001),
      bottom: () => this.#up.clone().negate().addScaledVector(this.#front, 0.001),
      reset: () => this.#front.clone().addScaledVector(this.#up, 0.35),
    }[name]().normalize();
    const box = this.#box();
    const center = box.getCenter(new Vector3());
    const radius = box.getSize(new Vector3()).length() / 2;
    const distance = this.#distance(box, center, from);
    this.#camera.near = radius / 50;
    this.#camera.far = distance + radius * 30;
    this.#camera.updateProjectionMatrix();
    Object.assign(this.#controls, { minDistance: radius / 8, maxDistance: distance * 4 });
    this.#controls.target.copy(center);
    this.#camera.position.copy(center).addScaledVector(from, distance);
    this.#controls.update();
    this.#draw();
  }

  /** Goes around the scan by steps to the right and up. */
  turn(right, up) {
    this.#controls.rotateLeft(-right * TURN);
    this.#controls.rotateUp(up * TURN);
  }

  /** Moves the picture by steps to the right and up. */
  move(right, up) {
    this.#controls.pan(right * MOVE, -up * MOVE);
  }

  /** Comes nearer, or goes away with a negative number of steps. */
  zoom(steps) {
    this.#controls.dollyIn(ZOOM ** steps);
  }

  /** Gives everything back, above all the graphics memory. */
  close() {
    cancelAnimationFrame(this.#frame);
    this.#observer.disconnect();
    this.#controls?.dispose();
    for (const { geometry, material } of this.#meshes.values()) {
      geometry.dispose();
      material.dispose();
    }
    this.#meshes.clear();
    this.#renderer.dispose();
    this.#renderer.forceContextLoss();
    this.#renderer.domElement.remove();
  }

  /** A box around everything that was added. */
  #box() {
    const all = new Box3();
    for (const { geometry } of this.#meshes.values()) {
      geometry.computeBoundingBox();
      all.union(geometry.boundingBox);
    }
    return all;
  }

  /** How far away the whole box is seen, from that direction. */
  #distance({ min, max }, center, from) {
    const right = this.#up.clone().cross(from).normalize();
    const above = from.clone().cross(right);
    const high = Math.tan((ANGLE / 2) * (Math.PI / 180));
    const wide = high * this.#camera.aspect;
    const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((at) => new Vector3(
      at & 1 ? max.x : min.x, at & 2 ? max.y : min.y, at & 4 ? max.z : min.z,
    ).sub(center));
    const needed = corners.map((corner) => corner.dot(from)
      + Math.max(Math.abs(corner.dot(right)) / wide, Math.abs(corner.dot(above)) / high));
    return MARGIN * Math.max(...needed);
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.#stage;
    if (!width || !height) return;
    this.#renderer.setSize(width, height);
    this.#camera.aspect = width / height;
    this.#camera.updateProjectionMatrix();
    // At once: the new canvas is empty.
    if (this.#controls) this.#renderer.render(this.#scene, this.#camera);
  }

  #draw() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#renderer.render(this.#scene, this.#camera);
    });
  }
}

/** Has a material draw the backs of its triangles in a colour of their own. */
function paintBacks(shader) {
  const colour = '#include <color_fragment>';
  shader.fragmentShader = shader.fragmentShader.replace(
    colour, `${colour}\nif (!gl_FrontFacing) diffuseColor.rgb = ${BACK};`,
  );
}
