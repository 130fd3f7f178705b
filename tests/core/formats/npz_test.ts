import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { FormatError } from "../../../core/errors.ts";
import { encodeNpz, type NpzFile, openNpz } from "../../../core/formats/npz.ts";
import { fileOfBytes } from "../../../core/formats/random_access.ts";
import { mutations } from "./mutations.ts";
import { loadByNumpy, numpyFiles } from "./numpy_files.ts";

const open = (bytes: Uint8Array): Promise<NpzFile> => openNpz(fileOfBytes(bytes, "x.npz"));

Deno.test("what NumPy wrote, compressed or not", async () => {
  for (const base64 of [numpyFiles.arrays, numpyFiles.compressed]) {
    const file = await open(Uint8Array.fromBase64(base64));
    assertEquals(
      file.names,
      ["f4", "f8", "i4", "big", "fortran", "fortran_matrix", "scalar", "half"],
    );
    const counting = Array.from({ length: 24 }, (_, i) => i);
    const expected = {
      f4: ["float32", [2, 3, 4], counting],
      f8: ["float64", [4, 6], counting],
      i4: ["int32", [24], counting],
      big: ["float64", [4, 6], counting],
      fortran: ["float64", [2, 3, 4], counting],
      fortran_matrix: ["float32", [4, 6], counting],
      scalar: ["float64", [], [2.5]],
    };
    for (const [name, each] of Object.entries(expected)) {
      const { dtype, shape, data } = await file.read(name);
      assertEquals([dtype, shape, [...data]], each, name);
    }
    const error = await assertRejects(() => file.read("half"), FormatError);
    assert(error.message.startsWith('x.npz: array "half" holds "<f2"; expected'), error.message);
  }
});

Deno.test("what is written is read back, and by NumPy", async () => {
  const bytes = encodeNpz({
    mu: { dtype: "float64", shape: [2], data: Float64Array.of(0.1, -1e300) },
    sigma: { dtype: "float32", shape: [2, 1], data: Float32Array.of(0.5, 2) },
    labels: { dtype: "int32", shape: [1], data: Int32Array.of(-7) },
  });
  const file = await open(bytes);
  assertEquals(file.names, ["mu", "sigma", "labels"]);
  assertEquals((await file.read("mu")).data, Float64Array.of(0.1, -1e300));
  const found = await loadByNumpy(bytes);
  if (!found) return;
  assertEquals(found, {
    mu: { descr: "<f8", shape: [2], values: [0.1, -1e300] },
    sigma: { descr: "<f4", shape: [2, 1], values: [0.5, 2] },
    labels: { descr: "<i4", shape: [1], values: [-7] },
  });
});

Deno.test("an array that is not there, or is too long, is an error", async () => {
  const file = await open(Uint8Array.fromBase64(numpyFiles.arrays));
  const error = await assertRejects(() => file.read("mu"), FormatError);
  assert(
    error.message.startsWith('x.npz has no array "mu"; expected one among its 8 (f4, f8,'),
    error.message,
  );
  const bytes = fileOfBytes(Uint8Array.fromBase64(numpyFiles.arrays), "x.npz");
  const small = await openNpz(bytes, { maxArrayBytes: 300 });
  await small.read("i4");
  await assertRejects(() => small.read("f8"), FormatError, "expected at most 300");
});

Deno.test("damaged files are read or refused", async () => {
  let valid = 0;
  const files = fc.constantFrom(
    ...[numpyFiles.arrays, numpyFiles.compressed].map((each) => Uint8Array.fromBase64(each)),
  );
  await fc.assert(
    fc.asyncProperty(files, mutations, async (bytes, mutate) => {
      try {
        const file = await open(mutate(bytes));
        for (const name of file.names) if (name !== "half") await file.read(name);
        valid++;
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        assert(!error.message.includes("\n") && error.message.length < 600, error.message);
      }
    }),
    { seed: 20240722, numRuns: 1000 },
  );
  assert(valid > 10, `only ${valid} of the damaged files were read`);
});
