/**
 * @file Antialiased Lanczos resampling in double precision, from its definition: the truth that
 * resized images are held against.
 */

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function lanczos3(x: number): number {
  return Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
}

/**
 * A row of samples at another length. Sample i covers [i, i + 1]; the kernel is as many times wider as
 * the row becomes shorter, and its weights sum to one, also where the row ends.
 */
export function resampledRow(row: ArrayLike<number>, length: number): Float64Array {
  const scale = row.length / length, width = Math.max(1, scale);
  return Float64Array.from({ length }, (_, i) => {
    const centre = (i + 0.5) * scale;
    let sum = 0, weights = 0;
    for (let j = 0; j < row.length; j++) {
      const weight = lanczos3((j + 0.5 - centre) / width);
      sum += weight * row[j];
      weights += weight;
    }
    return sum / weights;
  });
}

/** A square of one channel, [side, side], at another size. */
export function resampledSquare(
  values: ArrayLike<number>,
  side: number,
  size: number,
): Float64Array {
  const transposed = (from: ArrayLike<number>, height: number, width: number) =>
    Float64Array.from(
      { length: height * width },
      (_, i) => from[(i % height) * width + Math.floor(i / height)],
    );
  const rows = (from: Float64Array, length: number) => {
    const count = from.length / length, out = new Float64Array(count * size);
    for (let row = 0; row < count; row++) {
      out.set(resampledRow(from.subarray(row * length, (row + 1) * length), size), row * size);
    }
    return out;
  };
  const narrow = rows(Float64Array.from(values), side);
  return transposed(rows(transposed(narrow, side, size), side), size, size);
}

/** Means over blocks of so many values a side. */
export function blockMeans(values: ArrayLike<number>, side: number, block: number): Float64Array {
  const size = side / block;
  return Float64Array.from({ length: size * size }, (_, i) => {
    const top = Math.floor(i / size) * block, left = (i % size) * block;
    let sum = 0;
    for (let y = top; y < top + block; y++) {
      for (let x = left; x < left + block; x++) sum += values[y * side + x];
    }
    return sum / block ** 2;
  });
}
