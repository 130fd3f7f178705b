import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FormatError, VapoError } from "../../../core/errors.ts";
import { fileOfBytes } from "../../../core/formats/random_access.ts";
import { encodeStatistics, readStatistics } from "../../../core/metrics/statistics_file.ts";
import { loadByNumpy, numpyFiles } from "../formats/numpy_files.ts";

const read = (bytes: Uint8Array) => readStatistics(fileOfBytes(bytes, "stats.npz"));
const file = (name: string) => Uint8Array.fromBase64(numpyFiles.statistics[name]);
const mean = Float64Array.from(numpyFiles.mean);
const covariance = Float64Array.from(numpyFiles.covariance);

for (const name of ["savez", "compressed", "fortran", "big-endian", "with others"]) {
  Deno.test(`statistics that NumPy wrote: ${name}`, async () => {
    assertEquals(await read(file(name)), { mean, covariance });
  });
}

Deno.test("statistics in float32 are taken, and held in float64", async () => {
  const found = await read(file("float32"));
  assert(found.mean instanceof Float64Array && found.covariance instanceof Float64Array);
  found.mean.forEach((each, i) => assertAlmostEquals(each, mean[i], 1e-6));
  found.covariance.forEach((each, i) => assertAlmostEquals(each, covariance[i], 1e-6));
});

const refused: Record<string, string> = {
  "no sigma": 'no array "sigma"; expected one among its 1 (mu)',
  "no mu": 'no array "mu"; expected one among its 1 (arr_0)',
  "matrix for mu": "mu of shape [3,3]; expected [d]",
  "nothing": "mu of shape [0]",
  "other size": "sigma of shape [2,2]; expected [3, 3]",
  "flat": "sigma of shape [9]; expected [3, 3]",
  "integers": "mu of type int32",
  "objects": 'array "mu" holds "|O"',
  "not finite": "Infinity in sigma, at index 7",
  "not symmetric": "at [1, 0] of sigma and",
  "negative": "a variance of -1 in sigma, at [0, 0]",
};

for (const [name, words] of Object.entries(refused)) {
  Deno.test(`statistics that cannot be: ${name}`, async () => {
    const { message } = await assertRejects(() => read(file(name)), FormatError, words);
    assert(/^stats\.npz.*expected.*: ./.test(message) && !message.includes("\n"), message);
  });
}

Deno.test("asymmetry of rounding is none", async () => {
  const nearly = covariance.slice();
  nearly[1] *= 1 + 1e-7;
  await read(encodeStatistics({ mean, covariance: nearly }));
});

Deno.test("what is written is read back bit for bit, and by NumPy", async () => {
  const bytes = encodeStatistics({ mean, covariance });
  assertEquals(await read(bytes), { mean, covariance });
  const found = await loadByNumpy(bytes);
  if (!found) return;
  assertEquals(found, {
    mu: { descr: "<f8", shape: [3], values: numpyFiles.mean },
    sigma: { descr: "<f8", shape: [3, 3], values: numpyFiles.covariance },
  });
});

Deno.test("statistics whose lengths do not belong together are not written", () => {
  assertThrows(() => encodeStatistics({ mean, covariance: mean }), VapoError, "expected 9");
  const none = new Float64Array(0);
  assertThrows(() => encodeStatistics({ mean: none, covariance: none }), VapoError, "one feature");
});
