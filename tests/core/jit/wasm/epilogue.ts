/** @file An epilogue to test with. */
import type { Epilogue, View } from "../../../../core/jit/kernels.ts";

/** output = max(product + bias[column], 0) for a product of rows × columns cells. */
export function rowsEpilogue(
  rows: number,
  columns: number,
  { keep, product, bias, output }: {
    keep: boolean;
    product: number;
    bias: number;
    output: number;
  },
): Epilogue {
  const type = "float32" as const;
  // Dimensions of extent 1 are dropped, and a single column is none.
  const view = (buffer: number, row: number, column: number): View => ({
    buffer,
    type,
    offset: 0,
    strides: [...(rows > 1 ? [row] : []), ...(columns > 1 ? [column] : [])],
  });
  return {
    product: 1,
    keep,
    loop: {
      extents: [rows, columns].filter((extent) => extent > 1),
      reducedDimensions: 0,
      reads: [view(bias, 0, 1), view(product, columns, 1)],
      body: [
        { name: "add", operands: [{ kind: "read", index: 0 }, { kind: "read", index: 1 }], type },
        {
          name: "maximum",
          operands: [{ kind: "value", index: 0 }, { kind: "number", value: 0, type }],
          type,
        },
      ],
      writes: [{ view: view(output, columns, 1), value: { kind: "value", index: 1 } }],
    },
  };
}
