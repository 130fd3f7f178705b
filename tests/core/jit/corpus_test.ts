import { openDevice } from "../../../core/tensor/mod.ts";
import { webgpuTest } from "../../webgpu.ts";
import { compareWithEager } from "./compare.ts";
import { corpus } from "./corpus.ts";

for (const program of corpus) {
  Deno.test(`compiled to WebAssembly: ${program.name}`, async () => {
    await openDevice("wasm");
    const { slack = 1 } = program;
    for (const threads of [1, 2, 3]) await compareWithEager(program, 1e-5 * slack, { threads });
  });
}

for (const program of corpus.filter((program) => !program.eagerIsWrongOnWebGpu)) {
  webgpuTest(`compiled to WebGPU: ${program.name}`, async () => {
    await openDevice("webgpu");
    await compareWithEager(program, 1e-4);
  });
}
