/**
 * @file From space to a picture: a box [−1, 1]² with heights around 0, turned about its upright axis
 * (yaw), seen from above (pitch) through a mild perspective. x goes to the right, y away from the viewer
 * at yaw 0, z upwards.
 */

/** How a box is looked at. */
export interface Camera {
  /** Turns the box about its upright axis, in radians. */
  readonly yaw: number;
  /** 0 is from the side, π/2 from straight above. */
  readonly pitch: number;
  /** From the viewer to the box's middle, in half sides of the box; Infinity has no perspective. */
  readonly distance: number;
  /** Where the middle is, and device pixels for a half side of the box there. */
  readonly centerX: number;
  readonly centerY: number;
  readonly scale: number;
}

/** Rows: to the right, upwards and towards the viewer, in the box's coordinates. */
export type Rotation = readonly [
  ...(readonly [number, number, number]),
  ...(readonly [number, number, number]),
  ...(readonly [number, number, number]),
];

/** The turn by yaw and then pitch: an orthonormal matrix of determinant 1, row by row. */
export function rotation(yaw: number, pitch: number): Rotation {
  const cy = Math.cos(yaw), sy = Math.sin(yaw);
  const cp = Math.cos(pitch), sp = Math.sin(pitch);
  return [cy, -sy, 0, sy * sp, cy * sp, cp, -sy * cp, -cy * cp, sp];
}

/**
 * Where a point of the box is in the picture.
 *
 * @returns x and y in device pixels, y downwards, and how near it is: larger is nearer, 0 is the middle
 */
export function project(
  camera: Camera,
  x: number,
  y: number,
  z: number,
  turn: Rotation = rotation(camera.yaw, camera.pitch),
): [x: number, y: number, nearness: number] {
  const near = turn[6] * x + turn[7] * y + turn[8] * z;
  const perspective = camera.distance === Infinity ? 1 : camera.distance / (camera.distance - near);
  const s = camera.scale * perspective;
  return [
    camera.centerX + s * (turn[0] * x + turn[1] * y + turn[2] * z),
    camera.centerY - s * (turn[3] * x + turn[4] * y + turn[5] * z),
    near,
  ];
}

/**
 * The order in which the cells of a height field are painted, so that none is painted after one that
 * it hides: along each axis from both ends towards the viewer's place (painter's algorithm; D. P.
 * Anderson, "Hidden line elimination in projected grid surfaces", ACM Transactions on Graphics 1982).
 *
 * @param camera the viewer
 * @param cells along each axis
 * @returns columns, in the order of x, and rows, in that of falling y: each index once, the farthest
 *   first
 */
export function paintingOrder(
  camera: Camera,
  cells: number,
): { columns: number[]; rows: number[] } {
  const turn = rotation(camera.yaw, camera.pitch);
  // Without perspective the viewer is far away.
  const distance = Math.min(camera.distance, 1e6);
  const order = (towards: number) => {
    // The viewer's place on the axis, in cells.
    const place = (towards * distance + 1) / 2 * cells - 0.5;
    return Array.from({ length: cells }, (_, i) => i)
      .sort((a, b) => Math.abs(b - place) - Math.abs(a - place));
  };
  return { columns: order(turn[6]), rows: order(-turn[7]) };
}
