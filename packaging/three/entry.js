// The parts of three.js that the 3D view (src/web/assets/scene.js and mesh.js) uses. The bundle
// leaves out the rest.
export {
  Box3,
  BufferAttribute,
  BufferGeometry,
  DirectionalLight,
  DoubleSide,
  HemisphereLight,
  Mesh,
  MeshStandardMaterial,
  PerspectiveCamera,
  Scene,
  Vector3,
  WebGLRenderer,
} from 'three';
export { OrbitControls } from 'three/addons/controls/OrbitControls.js';
export { PLYLoader } from 'three/addons/loaders/PLYLoader.js';
export { STLLoader } from 'three/addons/loaders/STLLoader.js';
