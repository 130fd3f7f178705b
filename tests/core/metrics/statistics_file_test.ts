import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FormatError, VapoError } from "../../../core/errors.ts";
import type { NpyArray } from "../../../core/formats/npy.ts";
import { encodeNpz } from "../../../core/formats/npz.ts";
import { fileOfBytes } from "../../../core/formats/random_access.ts";
import { frechetDistance } from "../../../core/metrics/frechet_distance.ts";
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
  "not symmetric": "of sigma; expected a symmetric matrix",
  "negative": "a variance of -1 at [0, 0] of sigma",
};

for (const [name, words] of Object.entries(refused)) {
  Deno.test(`statistics that cannot be: ${name}`, async () => {
    const { message } = await assertRejects(() => read(file(name)), FormatError, words);
    assert(/^stats\.npz.*expected.*: ./.test(message) && !message.includes("\n"), message);
  });
}

Deno.test("what rounding leaves is mended, and the distance takes what was read and what was not", async () => {
  // Small variances beside a large one, as of features that are hardly ever on.
  const rounded = Float64Array.of(1, 1e-10, 0, 0, 1e-9, 0, 1e-7, 0, -1e-9);
  const given = { mean, covariance: rounded };
  const found = await read(encodeStatistics(given));
  assertEquals([...found.covariance], [1, 5e-11, 0, 5e-11, 1e-9, 0, 0, 0, 0]);
  const expected = { mean, covariance: Float64Array.of(1, 0, 0, 0, 1e-9, 0, 0, 0, 0) };
  for (const each of [given, found]) {
    assertAlmostEquals(await frechetDistance(each, expected), 0, 1e-12);
  }
});

const network = { name: "inception-v3-fid", sha256: "0123456789abcdef".repeat(4) };

Deno.test("the network is written beside, and readers by name never see it", async () => {
  const bytes = encodeStatistics({ mean, covariance, network });
  assertEquals(await read(bytes), { mean, covariance, network });
  const found = await loadByNumpy(bytes);
  if (!found) return;
  const { mu, sigma, vapo_network: { descr, values } } = found;
  assertEquals([mu.values, sigma.values], [numpyFiles.mean, numpyFiles.covariance]);
  assertEquals(descr, "|u1");
  assertEquals(JSON.parse(new TextDecoder().decode(Uint8Array.from(values))), network);
});

Deno.test("a network that is none is neither written nor read", async () => {
  const [name, checksum] = [network.name, network.sha256];
  const wrong = [
    { name: "", sha256: checksum },
    { name: "a\nb", sha256: checksum },
    { name: "x".repeat(101), sha256: checksum },
    { name, sha256: checksum.slice(1) },
    { name, sha256: checksum.toUpperCase() },
  ];
  const arrays = {
    mu: { dtype: "float64", shape: [3], data: mean },
    sigma: { dtype: "float64", shape: [3, 3], data: covariance },
  } as const;
  const written = (data: NpyArray) => encodeNpz({ ...arrays, vapo_network: data });
  const text = (content: string): NpyArray => {
    const data = new TextEncoder().encode(content);
    return { dtype: "uint8", shape: [data.length], data };
  };
  for (const each of wrong) {
    const error = assertThrows(
      () => encodeStatistics({ mean, covariance, network: each }),
      VapoError,
      "statistics are of the network",
    );
    assert(!error.message.includes("\n"));
    const bytes = written(text(JSON.stringify(each)));
    const { message } = await assertRejects(() => read(bytes), FormatError, "for vapo_network");
    assert(!message.includes("\n") && message.length < 400, message);
  }
  const others = [
    text("{"),
    text("null"),
    text(JSON.stringify({ ...network, more: 1 })),
    text(`${JSON.stringify(network)}${" ".repeat(1000)}`),
    { dtype: "float64", shape: [1], data: Float64Array.of(1) } as const,
    { dtype: "uint8", shape: [2, 1], data: Uint8Array.of(1, 2) } as const,
  ];
  for (const each of others) {
    await assertRejects(() => read(written(each)), FormatError, "for vapo_network");
  }
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
