import { assertEquals } from "@std/assert";
import { hasRelaxedSimd } from "../../../../core/jit/wasm/assembler.ts";
import { testVectorMath } from "./vector_math_suite.ts";

// The first question settles it for the file.
const validate = WebAssembly.validate;
WebAssembly.validate = () => false;
hasRelaxedSimd();
WebAssembly.validate = validate;

Deno.test("the module is without relaxed SIMD", () => assertEquals(hasRelaxedSimd(), false));

testVectorMath("without relaxed SIMD");
